# SPDX-License-Identifier: GPL-3.0-or-later
"""The explorer of a photograph without a browser: every control, opening, focus, saving, and what goes wrong."""

from __future__ import annotations

import datetime
import io

import numpy as np
import pytest
from PIL import Image

from dofkit import PhotoError
from dofkit.exploring import Exploration, Settings
from dofkit.photo import read_photo
from dofkit.scenes import portrait_scene
from dofkit.widgets import pictures
from dofkit.widgets.photo import PERSON, POINT, PhotoExplorer, explore_photo, free_name, read_upload


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(2, (150, 100), "whole-body", "validation")


@pytest.fixture
def explorer(scene, tmp_path):
    return explore_photo(scene.image, scene.mask.astype(np.float32), -1 / scene.depth, folder=tmp_path)


def shown(explorer: PhotoExplorer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(explorer.picture.value)), np.float32) / 255


def upload(explorer: PhotoExplorer, name: str, content: bytes) -> None:
    now = datetime.datetime.now(datetime.UTC)
    explorer.source["upload"].value = ({"name": name, "type": "image/png", "size": len(content),
                                        "content": memoryview(content), "last_modified": now},)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_it_begins_with_the_portrait_the_kit_would_make(explorer, scene):
    assert explorer.controls["aperture"].value == 1.0
    expected = explorer.exploration.portrait(Settings(mode="auto", aperture=1.0)).result
    assert np.abs(shown(explorer) - expected).mean() < 0.01
    assert "computed anew: " in explorer.status.value


@pytest.mark.parametrize(("name", "value", "computed"), [
    ("show", "layers", "nothing"), ("wipe", 40, "nothing"), ("aperture", 3.0, "blur"), ("feather", 3.0, "blur"),
    ("K", 3, "layers, blur"), ("lambda_", 0.0, "layers, blur"), ("look", "lens", "blur"),
])
def test_every_control_changes_the_picture_and_says_what_was_computed(explorer, name, value, computed):
    before = explorer.picture.value
    explorer.controls[name].value = value
    assert explorer.picture.value != before or name == "lambda_"  # exact depth hardly needs smoothing
    assert f"computed anew: {computed} (" in explorer.status.value


def test_a_control_set_back_gives_the_same_bytes(explorer):
    before = explorer.picture.value
    for name, there in (("K", 2), ("aperture", 4.0), ("look", "lens"), ("show", "matte")):
        back = explorer.controls[name].value
        explorer.controls[name].value = there
        explorer.controls[name].value = back
        assert explorer.picture.value == before, name


def test_focus_elsewhere_takes_the_lens_look_and_the_paper_goes_back_to_the_person(explorer):
    controls, calls = explorer.controls, []
    explorer.picture.observe(lambda change: calls.append(1), "value")
    controls["focus_x"].value = 90.0
    assert (controls["focus"].value, controls["look"].value, len(calls)) == (POINT, "lens", 1)
    assert explorer.settings().focus == (0.9, 0.5)
    controls["look"].value = "paper"
    assert (controls["focus"].value, explorer.settings().focus) == (PERSON, None)
    controls["focus"].value = POINT
    assert controls["look"].value == "lens"
    assert "did not work" not in explorer.status.value


def test_a_click_is_a_focus(explorer):
    if not explorer.picture.has_trait("point"):
        pytest.skip("needs the extra click")
    before, calls = explorer.picture.value, []
    explorer.picture.observe(lambda change: calls.append(1), "value")
    explorer.picture.point = [0.301, 0.803]
    assert explorer.settings().focus == (0.3, 0.8)
    assert explorer.picture.value != before and len(calls) == 1
    assert "look lens" in explorer.picture.alt


def test_without_anywidget_there_is_a_plain_picture(monkeypatch, scene):
    monkeypatch.setitem(__import__("sys").modules, "anywidget", None)
    assert pictures.clickable_picture() is None
    explorer = PhotoExplorer({"one": lambda: Exploration(scene.image, scene.mask.astype(np.float32))}, None)
    assert explorer.picture.format == "jpeg" and shown(explorer).shape == scene.image.shape


def test_what_cannot_be_shown_is_said_and_the_result_shown_instead(explorer):
    explorer.controls["look"].value = "lens"
    result = explorer.picture.value
    explorer.controls["show"].value = "layers"
    assert explorer.picture.value == result
    assert "made without layers" in explorer.status.value
    assert explorer.controls["K"].disabled
    explorer.controls["look"].value = "paper"
    assert not explorer.controls["K"].disabled and explorer.picture.value != result


def test_an_upload_is_opened_listed_and_can_be_left_again(explorer, scene):
    first = explorer.picture.value
    upload(explorer, "me.png", png(portrait_scene(9, (300, 200), "whole-body", "validation").image))
    choice = explorer.source["photograph"]
    assert (choice.value, choice.options[-1]) == ("me.png", "me.png")
    assert explorer.picture.value != first and "the person was found" in explorer.status.value
    choice.value = "your photograph"
    assert explorer.picture.value == first


def test_a_bad_upload_and_a_bad_path_are_said_and_change_nothing(explorer):
    before = explorer.picture.value, explorer.source["photograph"].options
    upload(explorer, "bad.jpg", b"no picture")
    assert explorer.status.value.startswith("This did not work: &#x27;bad.jpg&#x27; is not a picture")
    explorer.source["path"].value = "nowhere.jpg"
    assert "there is no file &#x27;nowhere.jpg&#x27;" in explorer.status.value
    upload(explorer, "grey.png", png(np.full((60, 60, 3), 0.5)))
    assert "no person was found" in explorer.status.value
    assert (explorer.picture.value, explorer.source["photograph"].options) == before
    explorer.controls["aperture"].value = 2.0
    assert "computed anew" in explorer.status.value


def test_saving_makes_the_full_size_and_overwrites_nothing(tmp_path):
    scene = portrait_scene(2, (150, 100), "whole-body", "validation")
    source = {"one": lambda: Exploration(scene.image, scene.mask.astype(np.float32), -1 / scene.depth, side=75)}
    explorer = PhotoExplorer(source, tmp_path)
    for expected in ("portrait.jpg", "portrait-2.jpg"):
        explorer.save["button"].click()
        assert expected in explorer.status.value
        assert read_photo(tmp_path / expected).image.shape == scene.image.shape
    explorer.save["name"].value = "no/such/folder.jpg"
    explorer.save["button"].click()
    assert "make it first" in explorer.status.value
    assert sorted(path.name for path in tmp_path.iterdir()) == ["portrait-2.jpg", "portrait.jpg"]


def test_every_control_has_a_label_and_is_reached_by_tab(explorer):
    for widget in (*explorer.controls.values(), *explorer.source.values(), *explorer.save.values()):
        assert widget.description and widget.tabbable is not False


def test_names_and_uploads(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "a-2.jpg").write_bytes(b"")
    assert free_name(tmp_path / "a.jpg").name == "a-3.jpg" and free_name(tmp_path / "b.jpg").name == "b.jpg"
    image = np.zeros((4, 6, 3), np.float32)
    assert read_upload("../../odd/name.png", png(image)).name == "name"
    with pytest.raises(PhotoError, match=r"^'name.png' is empty"):
        read_upload("folder/name.png", b"")


def test_what_a_killed_kernel_left_of_an_upload_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("DOFKIT_CACHE", str(tmp_path))
    left = tmp_path / ".upload.0123abcd.part"
    left.mkdir()
    (left / "me.png").write_bytes(b"half a photograph")
    read_upload("me.png", png(np.zeros((4, 6, 3), np.float32)))
    assert list(tmp_path.iterdir()) == []
