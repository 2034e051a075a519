# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes: what is gathered, what each stage changes, what a report and a card say; on networks of a few steps."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.io import savemat

from dofkit.batches import Pool, draw, hold
from dofkit.coarse.network import CoarseNetwork
from dofkit.datasets import DataError, Item, ccp, selfie
from dofkit.engines import Engine, TrainingError
from dofkit.guidance import Guidance
from dofkit.recipes import making, segmentation, table1
from dofkit.recipes.cards import card
from dofkit.recipes.segmentation import (
    RECIPES,
    Data,
    Recipe,
    empty_windows,
    gather,
    mean_iou,
    take_guidance,
    train_coarse,
    train_guidance,
    train_spn,
)
from dofkit.spn import GuidanceOnly, SpatialPropagation

TINY = Recipe((64, 48), (80,), 32, 2, 4, 4, 2, (3,), (2,), (3,), 3e-3, 3, 2, real=False)
CPU = Engine("cpu")


@pytest.fixture(scope="module", autouse=True)
def rendered(tmp_path_factory):
    """Scenes are kept for all of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOFKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@contextlib.contextmanager
def silent(name: str):
    yield None


def stripes(seed: int, shape=(64, 48)) -> Item:
    """A photograph whose left side, of some width, is a person."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    mask[:, : rng.integers(8, 15)] = True
    image = np.where(mask[..., None], 0.7, 0.2) + rng.normal(0, 0.05, (*shape, 3))
    return Item(image.clip(0, 1).astype(np.float32), mask, name=str(seed))


def pools(n: int = 6) -> Data:
    return Data([hold(map(stripes, range(n)), TINY.shape)], [hold(map(stripes, range(20, 22)), TINY.shape)])


def real_data(base: Path) -> Path:
    """A selfie set of 8 and 3, and a CCP of 8 and 3, of stripes."""
    for folder in ("selfie/Images", "selfie/Labels", "ccp/photos", "ccp/annotations/pixel-level"):
        (base / folder).mkdir(parents=True)
    for i in range(1, 12):
        item = stripes(i, (80, 60))
        pixels, labels = np.round(item.image * 255).astype(np.uint8), item.mask.astype(np.uint8)
        cv2.imwrite(str(base / f"selfie/Images/{i:05d}.png"), pixels)
        cv2.imwrite(str(base / f"selfie/Labels/{i:05d}.png"), labels)
        cv2.imwrite(str(base / f"ccp/photos/{i:04d}.jpg"), pixels)
        savemat(base / f"ccp/annotations/pixel-level/{i:04d}.mat", {"groundtruth": 5 * labels})
    for name, numbers in (("train", range(1, 9)), ("test", range(9, 12))):
        (base / f"selfie/eg1800_{name}.txt").write_text("".join(f"{i:05d}.png\n" for i in numbers))
    rows = [f"{i:04d},{'train' if i < 9 else 'val'}" for i in range(1, 12)]
    (base / "ccp/splits.csv").write_text("\n".join(["id,split", *rows]) + "\n")
    return base


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


# the tables


@pytest.mark.parametrize("recipe", [*RECIPES.values(), *table1.RECIPES.values()])
def test_recipes_fit_together(recipe):
    assert recipe.crop <= min(recipe.shape)
    assert recipe.crop % 32 == 0  # five pools of the guidance, and the coarse network's five strides
    assert min(recipe.held_out, recipe.scenes, *recipe.coarse_steps, *recipe.guidance_steps, *recipe.spn_steps) > 0


def test_the_profiles_are_what_the_command_says():
    assert set(RECIPES) == {"quick", "full", "paper"}
    assert [RECIPES[name].real for name in ("quick", "full", "paper")] == [False, True, True]
    assert RECIPES["paper"].width == 64 and RECIPES["paper"].channels == 32  # VGG-16, and the authors' network
    assert set(table1.RECIPES) == {"quick", "full", "paper"}


# what is gathered


def test_the_quick_profile_takes_scenes_of_both_kinds():
    data = gather(TINY)
    assert [(len(pool), pool.images.shape[1:3]) for pool in (*data.train, *data.validation)] == [
        (3, (64, 48)), (3, (64, 48)), (2, (64, 48)), (2, (64, 48))]
    assert data.train[0].share == data.train[1].share
    pictures = [pool.images[i].tobytes() for pool in (*data.train, *data.validation) for i in range(len(pool))]
    assert len(set(pictures)) == 10


def test_real_data_are_shared_as_stated(tmp_path):
    root = real_data(tmp_path)
    data = gather(replace(TINY, real=True), root=root)
    shares = [pool.share for pool in data.train]
    assert sum(shares) == pytest.approx(1)
    assert sum(shares[:3]) == pytest.approx(0.5)  # selfies
    assert [shares[0] + shares[3], shares[2] + shares[5]] == pytest.approx([0.2, 0.1])  # scenes, and windows
    assert [len(pool) for pool in data.train] == [3, 6, len(data.train[2]), 3, 6, len(data.train[5])]
    assert [len(pool) for pool in data.validation] == [2, 2]
    assert not data.train[2].masks.any() and not data.train[5].masks.any()
    for held, rest in ((data.validation[0], data.train[1]), (data.validation[1], data.train[4])):
        pictures = [image.tobytes() for image in (*held.images, *rest.images)]
        assert len(set(pictures)) == 8
    again, other = (gather(replace(TINY, real=True), root=root, seed=seed) for seed in (0, 1))
    for a, b in zip((*data.train, *data.validation), (*again.train, *again.validation), strict=True):
        assert np.array_equal(a.images, b.images)
    assert not np.array_equal(other.validation[0].images, data.validation[0].images)


def test_a_missing_data_set_is_named_before_scenes_are_rendered(tmp_path, monkeypatch):
    real_data(tmp_path)
    (tmp_path / "ccp").rename(tmp_path / "elsewhere")
    monkeypatch.setattr(segmentation, "scenes", lambda *a, **k: pytest.fail("work began"))
    with pytest.raises(DataError, match="no CCP"):
        gather(replace(TINY, real=True), root=tmp_path)
    monkeypatch.delenv("DOFKIT_DATA", raising=False)
    with pytest.raises(DataError, match="nobody said where selfie/ is: set DOFKIT_DATA"):
        gather(replace(TINY, real=True))


def test_windows_lie_beside_people():
    from dofkit.datasets import Dataset

    photographs = Dataset("stripes", range(5), stripes)
    windows, again = (empty_windows(photographs, seed=3) for _ in range(2))
    assert 10 <= len(windows) <= 5 * segmentation.WINDOWS
    assert not any(window.mask.any() for window in windows)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(windows, again, strict=True))
    full = Dataset("full", range(1), lambda i: Item(np.zeros((8, 8, 3), np.float32), np.ones((8, 8), bool)))
    assert empty_windows(full, seed=0) == []


# the stages


def test_mean_iou_is_the_mean_over_pools_of_means():
    """Prediction: everything. One pool of 20 with half a person each, one of a single whole person: (0.5 + 1) / 2."""
    half = np.zeros((20, 8, 6), bool)
    half[:, :4] = True
    data = [Pool(np.zeros((20, 8, 6, 3), np.uint8), half), Pool(np.zeros((1, 8, 6, 3), np.uint8), ~half[:1] | half[:1])]
    assert mean_iou(lambda image: torch.ones_like(image[:, :1]), data, CPU) == pytest.approx(0.75)
    assert mean_iou(lambda image: -torch.ones_like(image[:, :1]), data, CPU) == 0
    seen = [Pool((255 * half[..., None]).repeat(3, -1).astype(np.uint8), half)]
    assert mean_iou(lambda image: image[:, :1] - 0.5, seen, CPU) == 1


def test_stages_learn_and_repeat(tmp_path):
    """The same seed gives the same networks, whatever has been drawn before; another seed others."""
    recipe = replace(TINY, coarse_steps=(12,))
    nets = []
    for number, seed in enumerate((0, 0, 1)):
        torch.rand(number)
        nets.append(train_coarse(recipe, pools(), seed=seed, folder=tmp_path / str(number), engine=CPU))
    assert same(nets[0][0], nets[1][0]) and not same(nets[0][0], nets[2][0])
    run = nets[0][1]
    assert run.steps == 12 and run.best == max(line["validation"] for line in run.curve)
    assert mean_iou(nets[0][0], pools().validation, CPU) == pytest.approx(run.best)


def test_the_coarse_network_sees_people_elsewhere_from_its_second_cycle(tmp_path, monkeypatch):
    parts = []
    monkeypatch.setattr(segmentation, "draw", lambda *args, elsewhere, **more: parts.append(elsewhere) or
                        draw(*args, **more))
    run = train_coarse(replace(TINY, coarse_steps=(3, 2)), pools(), seed=0, folder=tmp_path, engine=CPU)[1]
    assert run.steps == 5 and parts == [0, 0, 0, segmentation.ELSEWHERE, segmentation.ELSEWHERE]


def test_guidance_hands_over_all_but_its_head(tmp_path):
    learned, _ = train_guidance(TINY, pools(), seed=0, folder=tmp_path, engine=CPU)
    for network in (SpatialPropagation(width=4, channels=2), GuidanceOnly(width=4, channels=2)):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        take_guidance(network, learned)
        for name, value in network.state_dict().items():
            taken = name.startswith("guidance.") and not name.startswith("guidance.head.")
            source = learned.state_dict()[name.removeprefix("guidance.")] if taken else before[name]
            assert torch.equal(value, source), name


def test_the_spn_learns_and_the_coarse_network_stays(tmp_path):
    torch.manual_seed(0)
    coarse, network = CoarseNetwork(width=4), SpatialPropagation(width=4, channels=2)
    coarse.train()
    before = [{name: value.clone() for name, value in net.state_dict().items()} for net in (coarse, network)]
    run = train_spn(TINY, pools(), coarse, network, seed=0, folder=tmp_path, engine=CPU)
    assert run.steps == 3
    assert all(torch.equal(value, before[0][name]) for name, value in coarse.state_dict().items())
    assert not any(torch.equal(value, before[1][name]) for name, value in network.state_dict().items()
                   if name.endswith("running_mean"))


# reports and cards


def told(**changes) -> dict:
    """A report as `make_segmentation` writes it."""
    run = {"steps": 12, "best step": 9, "validation": 0.91234, "seconds": 360, "device": "cpu", "precision": "bf16",
           "processes": 1, "curve": []}
    scores = {"photographs": 7, "coarse": {"iou": 0.9, "iou_near_boundary": 0.6},
              "refined": {"iou": 0.93, "iou_near_boundary": None}, "failures": []}
    return {"profile": "full", "seed": 4, "source": "abc", "recipe": asdict(RECIPES["full"]), "vgg16": None,
            "photographs": {"train": [1, 2], "validation": [3]}, "training": {"coarse": run, "spn": run},
            "test": {"selfie test": scores, "beside": {"photographs": 8, "left empty": 0.875}}} | changes


def test_cards_say_what_was_done_and_how_well():
    text = card("coarse", told())
    assert text.startswith("# segmentation-coarse\n")
    for part in ("Clothing Co-Parsing", "[1, 2]", "profile full, seed 4, sources abc", "12 steps of 8", "6 minutes",
                 "0.9123 at step 9", "`dofkit train segmentation --profile full --seed 4`", "bf16",
                 "| selfie test | 7 | 0.9 | 0.93 | 0.6 | not available here |", "87.5% of 8 masks stayed empty"):
        assert part in text, part
    assert "guidance alone" not in text
    spn = card("spn", told(training=told()["training"] | {"guidance": {"steps": 30, "seconds": 120}}))
    assert "- the guidance alone before that: 30 steps, 2 minutes" in spn
    quick = card("spn", told(recipe=asdict(RECIPES["quick"]), vgg16="vgg.pth"))
    assert "- data: scenes;" in quick and "Clothing" not in quick
    assert "--seed 4 --vgg16 vgg.pth`" in quick


def test_a_card_without_tests_has_no_table():
    report = told()
    del report["test"]
    assert "|" not in card("coarse", report)


def test_a_folder_belongs_to_one_training(tmp_path):
    folder = tmp_path / "a" / "b"
    making.claim(folder, {"profile": "quick", "seed": 0}, CPU)
    making.claim(folder, {"profile": "quick", "seed": 0}, CPU)
    with pytest.raises(TrainingError, match="a training with seed 0, not 1: name another folder"):
        making.claim(folder, {"profile": "quick", "seed": 1}, CPU)
    with pytest.raises(TrainingError, match="with profile quick, not full and seed 0, not 1"):
        making.claim(folder, {"profile": "full", "seed": 1}, CPU)
    for damage in (b"", b"[]", b"{}", b"\xff"):
        (folder / making.REPORT).write_bytes(damage)
        with pytest.raises(TrainingError, match=r"segmentation\.json' is damaged: delete it"):
            making.claim(folder, {"profile": "quick", "seed": 0}, CPU)
    with pytest.raises(TrainingError, match="cannot use the folder"):
        making.claim(folder / making.REPORT, {"profile": "quick", "seed": 0}, CPU)


def test_the_whole_on_real_data(tmp_path, monkeypatch):
    """From photographs to cards, with the test sets that no network has seen."""
    monkeypatch.setitem(RECIPES, "full", replace(TINY, real=True))
    monkeypatch.setattr(making, "SCENES", 1)
    root = real_data(tmp_path / "data")
    report = making.make_segmentation("full", tmp_path / "out", engine=CPU, stage=silent, root=root)
    tests = report["test"]
    assert list(tests) == ["scenes, selfie", "scenes, whole body", "selfie test", "selfie test, with leaks", "CCP val",
                           making.BESIDE]
    assert [tests[name]["photographs"] for name in list(tests)[:5]] == [1, 1, 3, 3, 3]
    assert tests[making.BESIDE]["photographs"] == len(empty_windows(ccp("val", root=root), seed=0))
    assert json.loads((tmp_path / "out" / making.REPORT).read_text()) == json.loads(json.dumps(report))
    assert set(report["training"]) == {"coarse", "guidance", "spn"}


def test_networks_are_judged_at_the_height_that_they_are_for(tmp_path, monkeypatch):
    heights = []
    monkeypatch.setitem(RECIPES, "quick", TINY)
    monkeypatch.setattr(making, "SCENES", 1)
    scores = type("Scores", (), {"report": lambda self: told()["test"]["selfie test"]})()
    monkeypatch.setattr(making, "evaluate_masks",
                        lambda segment, photographs: heights.append(segment.refiner.heights) or scores)
    making.make_segmentation("quick", tmp_path, engine=CPU, stage=silent)
    assert set(heights) == {(80,)}


# Table 1


def test_table_1(tmp_path, monkeypatch):
    recipe = replace(TINY, real=True)
    monkeypatch.setitem(table1.RECIPES, "full", recipe)
    monkeypatch.setattr(making, "SCENES", 1)
    root = real_data(tmp_path / "data")
    report = table1.make_table1("full", tmp_path / "out", engine=CPU, stage=silent, root=root, seeds=2)
    assert json.loads((tmp_path / "out" / table1.REPORT).read_text()) == json.loads(json.dumps(report))
    trained = ["coarse", "no propagation", "one-way", "three-way (ours)"]
    assert list(report["iou"]) == [*trained, "graph cut", "mean mask"]
    tests = ["scenes, selfie", "scenes, whole body", "selfie test", "selfie test, with leaks", "CCP val"]
    for method in trained:
        means = report["iou"][method]
        assert list(means) == list(report["iou_near_boundary"][method]) == tests
        assert all(len(values) == 2 and 0 <= min(values) <= max(values) <= 1 for values in means.values())
    assert all(len(values) == 1 for values in report["iou"]["graph cut"].values())
    assert list(report["iou"]["mean mask"]) == tests[2:]
    learned, seen = ([int(item.mask[0].sum()) for item in selfie(split, root=root)] for split in ("train", "test"))

    def score(cut: float, widths: list[int]) -> float:
        """Of a mask as wide as `cut`, on photographs of left sides of these widths."""
        return float(np.mean([min(w, cut) / max(w, cut) for w in widths]))

    best = max(learned, key=lambda cut: score(cut, learned))
    assert report["iou"]["mean mask"]["selfie test"] == pytest.approx([score(best, seen)], abs=0.03)


def test_guidance_of_one_width_is_no_other():
    with pytest.raises(RuntimeError, match="size mismatch"):
        take_guidance(SpatialPropagation(width=4, channels=2), Guidance(1, width=8))
