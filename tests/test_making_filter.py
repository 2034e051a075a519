# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters from pairs to cards: each alike, resumed after a stop, scored as the report says."""

from __future__ import annotations

import contextlib
import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from dofkit import cli
from dofkit.baselines import binned_blur, one_blur
from dofkit.datasets import DataError
from dofkit.engines import Engine
from dofkit.metrics import psnr
from dofkit.recipes import pairs as pair_recipes
from dofkit.recipes.making_filter import RADII, REPORT, _each, _summarised, make_filter
from dofkit.recipes.pairs import Pair, PairRecipe, make_pairs
from dofkit.recipes.rnn_filter import RECIPES, FilterRecipe, mean_psnr, read_pairs, train_filter
from dofkit.render import render_selfie
from dofkit.rnn_filter import FILTERS
from dofkit.weights import card, load_weights, metadata

SMALL = {"rnn": {"width": 4, "channels": 2}, "cnn": {"width": 4}, "liu": {"width": 4, "channels": 2},
         "gradient": {"channels": 2}}
TINY = FilterRecipe(SMALL, 32, 2, 4, 3e-3, {"rnn": 2, "cnn": 1, "liu": 1, "gradient": 1})
CPU = Engine("cpu")


@contextlib.contextmanager
def silent(name: str):
    yield None


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(pair_recipes.RECIPES, "quick", PairRecipe(128, 2, 0, 0, 1, 1))
        make_pairs("quick", folder, run=lambda work, tasks: ((i, work(task)) for i, task in enumerate(tasks)))
    return folder


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(RECIPES, "quick", TINY)


@pytest.fixture(scope="module")
def made(pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("filters")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "quick", TINY)
        report = make_filter("quick", folder, pairs, engine=CPU, stage=silent)
    return folder, report


def test_every_filter_comes_with_card_and_scores(made):
    folder, report = made
    assert json.loads((folder / REPORT).read_text()) == json.loads(json.dumps(report))
    assert set(report["test"]) == {"scenes"} and report["test"]["scenes"]["pictures"] == 2
    for name in FILTERS:
        file = folder / f"filter-{name}.safetensors"
        assert metadata(file).arguments == SMALL[name]
        text = card(file)
        assert f"{report['parameters'][name]} parameters" in text and "4 steps" in text
        assert f"{report['test']['scenes'][name]['psnr']['mean']:.4g}" in text
        assert ("trained 2 times, from other seeds" in text) == (name == "rnn")


def test_further_seeds_are_told_but_the_weights_are_those_of_the_first(made, pairs):
    folder, report = made
    assert {name: len(each) for name, each in report["validation by seed"].items()} == TINY.seeds
    one, other = report["validation by seed"]["rnn"]
    assert one == report["training"]["rnn"]["validation"] and one != other
    written = load_weights(folder / "filter-rnn.safetensors", FILTERS)
    assert mean_psnr(written, read_pairs(pairs, "validation"), CPU) == pytest.approx(one, abs=0.01)


def test_scores_are_those_of_the_written_weights(made, pairs):
    folder, report = made
    model = load_weights(folder / "filter-rnn.safetensors", FILTERS)
    each = []
    for pair in read_pairs(pairs, "test"):
        image, result, m, radius = (torch.from_numpy(x) for x in pair.arrays())
        with torch.no_grad():
            guides = torch.stack([m, radius / 8])[None]
            out = model(image.permute(2, 0, 1)[None], guides)[0].permute(1, 2, 0).clamp(0, 1)
        each.append(psnr(out.numpy(), result.numpy()))
    assert report["test"]["scenes"]["rnn"]["psnr"]["mean"] == pytest.approx(np.mean(each), abs=1e-3)


def flat_pair(radius: float) -> Pair:
    image = np.random.default_rng(0).integers(0, 255, (32, 24, 3), np.uint8)
    result = np.clip(image.astype(int) + 10, 0, 255).astype(np.uint8)
    mask = np.zeros((32, 24), np.uint8)
    mask[10:20, 8:16] = 255
    return Pair(image, result, mask, np.where(mask > 0, 0, radius).astype(np.float16))


def test_errors_are_pooled_by_the_radius_asked_for():
    pair = flat_pair(2.5)
    found = _each(lambda image, m, r: image, [pair])
    scores = _summarised(found, found)
    assert scores["lead of rnn"]["psnr"] == {"mean": 0, "deviation": 0}
    image, result, m, _ = pair.arrays()
    inside = [low <= 2.5 < high for low, high in pairwise(RADII)]
    assert [value is not None for value in scores["by radius"]] == inside
    wanted = psnr(image[m == 0], result[m == 0])
    assert scores["by radius"][inside.index(True)] == pytest.approx(wanted, abs=1e-3)
    assert scores["person"]["mean"] == pytest.approx(psnr(image[m == 1], result[m == 1]), abs=1e-3)


def test_a_training_that_was_stopped_ends_in_the_same_bits(pairs, tmp_path):
    learned, validation = read_pairs(pairs, "train"), read_pairs(pairs, "validation")
    straight, _ = train_filter("rnn", TINY, learned, validation, seed=0, folder=tmp_path / "one", engine=CPU)

    def stop(step, steps, loss, score):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_filter("rnn", TINY, learned, validation, seed=0, folder=tmp_path / "two", engine=CPU, progress=stop)
    again, _ = train_filter("rnn", TINY, learned, validation, seed=0, folder=tmp_path / "two", engine=CPU)
    assert all(torch.equal(a, again.state_dict()[name]) for name, a in straight.state_dict().items())


def test_training_brings_the_filter_nearer(pairs, tmp_path):
    learned = read_pairs(pairs, "train")
    recipe = FilterRecipe(SMALL, 32, 4, 60, 1e-2)
    before = mean_psnr(lambda image, guides: image, learned, CPU)
    model, _ = train_filter("rnn", recipe, learned, learned, seed=0, folder=tmp_path, engine=CPU)
    assert mean_psnr(model, learned, CPU) > before + 0.15  # 0.23 dB with AVX2, above 0.3 with wider vectors


def test_the_command_makes_its_own_pairs(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(pair_recipes.RECIPES, "quick", PairRecipe(128, 1, 0, 0, 1, 1))
    assert cli.main(["train", "rnn", "--out", str(tmp_path)]) == 0
    assert set(json.loads(capsys.readouterr().out)["scenes"]) >= set(FILTERS)
    assert (tmp_path / "pairs" / "pairs.json").exists()


def test_wrong_options_are_one_line(tmp_path, capsys):
    for options, says in ((["segmentation", "--pairs", "x"], "leave out --pairs"),
                          (["rnn", "--vgg16", "x"], "leave out the VGG-16"),
                          (["rnn", "--pairs", str(tmp_path / "none")], "no pairs in")):
        assert cli.main(["train", *options, "--out", str(tmp_path / "out")]) == 2
        assert says in capsys.readouterr().err


def test_pairs_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="make them with"):
        make_filter("quick", tmp_path / "out", tmp_path, engine=CPU, stage=silent)


def test_pairs_that_no_recipe_made_are_not_learned_from(pairs, tmp_path):
    folder = Path(shutil.copytree(pairs, tmp_path / "pairs"))
    shutil.copy(next((folder / "test").glob("*.npz")), folder / "train" / "scenes-selfie-999999.npz")
    with pytest.raises(DataError, match=r"holds 5 pairs, but pairs\.json is of 4"):
        make_filter("quick", tmp_path / "out", folder, engine=CPU, stage=silent)


def test_blurs_that_learned_nothing_leave_the_person_alone():
    image, _, m, radius = flat_pair(3.0).arrays()
    for blur in (one_blur, binned_blur):
        made = blur(image, m, radius)
        assert np.allclose(made[m == 1], image[m == 1], atol=1e-6)
        assert np.allclose(made[m == 0], render_selfie(image, m, 3.0)[m == 0], atol=2e-3)
