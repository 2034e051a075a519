# SPDX-License-Identifier: GPL-3.0-or-later
"""The explorer without a browser: it recomputes on a change, says what is wrong, and asks for nothing."""

from __future__ import annotations

import io

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from dofkit.widgets import Slider, encode, explore, live
from dofkit.widgets.live import BUSY


def shown(explorer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(explorer.picture.value)), float) / 255


def test_the_picture_follows_the_slider_and_is_made_once_a_change():
    calls = []

    def picture(grey: float, kind: str) -> np.ndarray:
        calls.append((grey, kind))
        return np.full((8, 9, 3), grey)

    explorer = explore(picture, grey=Slider(0.0, 1.0, 0.25), kind=["plain", "fancy"])
    assert shown(explorer).shape == (8, 9, 3)
    explorer.controls["grey"].value = 0.75
    explorer.controls["grey"].value = 0.75  # no change
    explorer.controls["kind"].value = "fancy"
    assert calls == [(0.25, "plain"), (0.75, "plain"), (0.75, "fancy")]
    assert shown(explorer) == pytest.approx(0.75, abs=0.01)
    assert explorer.values() == {"grey": 0.75, "kind": "fancy"}


def test_it_is_marked_busy_while_it_works():
    seen = []
    explorer = explore(lambda x: np.full((2, 2), float(x)), x=Slider(0, 1, 0))
    explorer.status.observe(lambda change: seen.append(change["new"]), names="value")
    explorer.controls["x"].value = 1
    assert seen == [BUSY, ""]


def test_an_error_is_said_in_the_page_and_mended_by_the_next_change():
    def picture(x: int) -> np.ndarray:
        if x == 2:
            raise ValueError("a radius <2> is too\nlarge")
        return np.full((2, 2), x / 10)

    explorer = explore(picture, x=Slider(0, 5, 1))
    before = explorer.picture.value
    explorer.controls["x"].value = 2
    assert explorer.status.value == "This did not work: a radius &lt;2&gt; is too\nlarge"
    assert explorer.picture.value == before
    explorer.controls["x"].value = 3
    assert explorer.status.value == ""
    assert shown(explorer) == pytest.approx(0.3, abs=0.01)


def test_a_function_that_fails_at_once_fails_in_the_cell():
    with pytest.raises(ZeroDivisionError):
        explore(lambda x: np.full((2, 2), 1.0 / x), x=Slider(0, 5, 0))


def test_sliders_are_labelled_have_steps_and_stay_in_range():
    explorer = explore(
        lambda radius, f_number: np.zeros((2, 2)),
        radius=Slider(0, 30, 8, label="radius, px"),
        f_number=Slider(1.0, 16.0, 2.0),
    )
    radius, aperture = explorer.controls["radius"], explorer.controls["f_number"]
    assert isinstance(radius, ipywidgets.IntSlider)
    assert (radius.description, radius.step, radius.max) == ("radius, px", 1, 30)
    assert (aperture.description, aperture.step) == ("f number", pytest.approx(0.3))
    assert explorer.children == (radius, aperture, explorer.status, explorer.picture)


def test_a_slow_picture_waits_until_the_slider_is_let_go(monkeypatch):
    clock = iter([0.0, 0.0, 0.05, 1.0, 1.0, 2.0])  # two pictures: 0.05 s and 1 s
    monkeypatch.setattr(live.time, "perf_counter", lambda: next(clock))
    explorer = explore(lambda x: np.zeros((2, 2)), x=Slider(0, 3, 1))
    assert explorer.controls["x"].continuous_update
    explorer.controls["x"].value = 2
    assert not explorer.controls["x"].continuous_update


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({}, "at least one control"),
        ({"x": Slider(0, 1, 2)}, "slider 'x' starts at 2, outside 0 to 1"),
        ({"x": Slider(1, 1, 1)}, "slider 'x'"),
        ({"x": Slider(0.0, float("nan"), 0.0)}, "slider 'x'"),
    ],
)
def test_wrong_controls_are_refused(controls, message):
    with pytest.raises(ValueError, match=message):
        explore(lambda x: np.zeros((2, 2)), **controls)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((2, 2, 4)),
        np.zeros(3),
        np.zeros((2, 2), int),
        np.zeros((0, 2)),
        np.full((2, 2), np.nan),
        None,
    ],
)
def test_only_pictures_are_shown(picture):
    with pytest.raises(ValueError, match="picture"):
        encode(picture)


def test_values_outside_the_range_are_clipped():
    picture = np.asarray(Image.open(io.BytesIO(encode(np.array([[-1.0] * 8 + [2.0] * 8] * 8)))))
    assert (picture[:, :8].max(), picture[:, 8:].min()) == (0, 255)
