# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation: each variant lacks one thing, gains are paired, the report is of the scenes it names."""

import json

import numpy as np
import pytest

from dofkit import PortraitMode, cli
from dofkit.ablation import (
    EVERYTHING,
    VARIANTS,
    Inputs,
    estimated,
    exact,
    gain,
    render_variants,
    score,
    through_lens,
    verdict,
)
from dofkit.metrics import psnr
from dofkit.recipes import ablation as recipe
from dofkit.render import WHOLE_BODY_RADIUS
from dofkit.scenes import portrait_scene
from dofkit.scenes.lens import blur_diameter

SIZE = 120, 80


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(2, SIZE, "whole-body", "validation")


@pytest.fixture(scope="module")
def variants(scene):
    given = exact(scene)
    coarse = np.roll(given.mask, 4, 1)
    return render_variants(Inputs(given.image, given.mask, given.depth, coarse, given.depth), max_radius=4.0)


def test_everything_is_the_renderer(scene, variants):
    renderer, given = PortraitMode(mode="whole-body", max_radius=4.0), exact(scene)
    assert np.array_equal(variants["everything"], renderer(scene.image, given.mask, given.depth).result)


def test_each_variant_lacks_something(variants):
    assert list(variants) == [variant.name for variant in VARIANTS]
    for name, result in variants.items():
        assert (name == EVERYTHING.name) == np.array_equal(result, variants["everything"])


def test_without_an_spn_there_is_none_to_leave_out(scene):
    assert "no SPN" not in render_variants(exact(scene))


def test_a_part_shows_where_the_paper_says(scene, variants):
    truth = through_lens(scene, 4.0)
    scores = {name: score(result, truth, scene.alpha) for name, result in variants.items()}
    assert scores["no guided kernel"]["outside"] > 1.05 * scores["everything"]["outside"]
    assert scores["no depth"]["psnr"] < scores["everything"]["psnr"]
    assert scores["no SPN"]["inside"] > scores["everything"]["inside"]  # its mask is 4 px off


def test_the_lens_is_as_strong_as_the_renderer(scene):
    """At the default strength; the f-number found by search instead of by proportion."""
    far = np.quantile(scene.depth, 0.99)

    def radius(n):
        return blur_diameter(far, focus=scene.focus_distance, focal_length=scene.focal_length, f_number=n,
                             focal_pixels=scene.camera.focal_pixels) / 2

    numbers = np.geomspace(0.5, 50, 4001)
    best = numbers[np.argmin([abs(radius(n) - WHOLE_BODY_RADIUS * 120) for n in numbers])]
    from dofkit.colour import linear_to_srgb

    wanted = linear_to_srgb(scene.photograph(f_number=best, lens_points=64).clip(0, 1))
    assert psnr(through_lens(scene), wanted) > 45


def test_networks_give_coarse_and_refined():
    given = estimated(portrait_scene(2, (240, 160), "whole-body", "validation").image)
    assert not np.array_equal(given.mask, given.coarse_mask) and not np.array_equal(given.depth, given.coarse_depth)


def test_gains_are_paired_and_signed():
    many = np.random.default_rng(0).normal(30, 5, 40)  # scenes differ far more than variants do
    better = gain(many + 0.2, many, "psnr")
    assert better.mean == pytest.approx(0.2) and verdict(better) == "holds"
    assert gain(many, many, "ssim") == (0, 0, 0)
    assert verdict(gain(many + 0.2, many, "outside")) == "fails"  # more error
    noisy = gain(many + np.random.default_rng(1).normal(0, 1, 40), many, "psnr")
    assert verdict(noisy) == "undecided" and noisy.low < noisy.mean < noisy.high


def test_the_interval_is_about_that_of_the_normal_distribution():
    x = np.random.default_rng(2).normal(1, 2, 400)
    found = gain(x, np.zeros(400), "psnr")
    half = 1.96 * x.std(ddof=1) / 20
    assert found.high - found.low == pytest.approx(2 * half, rel=0.08)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(recipe, "SIZE", SIZE)


def test_the_command_reports_day_and_night(small, tmp_path, capsys):
    out = tmp_path / "ablation.json"
    command = ["evaluate", "ablation", "--split", "validation", "--day", "2", "--night", "2", "--out", str(out)]
    assert cli.main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert json.loads(out.read_text()) == report
    for source in ("exact", "estimated"):
        for time, cell in report["cells"][source].items():
            left_out = [f for f in report["failures"] if f["inputs"] == source]
            assert time in ("day", "night") and 2 - len(left_out) <= cell["scenes"] <= 2
            assert ("no SPN" in cell["gains"]) == (source == "estimated")
            for name, part in cell["gains"].items():
                means = {key: values["psnr"] for key, values in cell["means"].items()}
                assert part["psnr"]["mean"] == pytest.approx(means["everything"] - means[name], abs=1e-3)


@pytest.mark.parametrize("options", [["--day", "1"], ["--night", "0"], ["--out", "no/such/folder.json"]])
def test_what_cannot_be_is_one_line(options, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["evaluate", "ablation", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())
