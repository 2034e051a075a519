# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth networks from data to cards: what is taken over, what each stage changes, what a report says."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from dofkit import cli
from dofkit.batches import hold
from dofkit.coarse.network import CoarseNetwork
from dofkit.datasets import Item, orders_from_depth
from dofkit.engines import Engine
from dofkit.losses import body_consistency_loss, ranking_loss
from dofkit.recipes import making_depth
from dofkit.recipes.cards import depth_card
from dofkit.recipes.depth import (
    RECIPES,
    DepthRecipe,
    gather,
    mean_objective,
    mean_whdr,
    train_coarse,
    train_spn,
)
from dofkit.recipes.making_depth import make_depth, untrained_spn
from dofkit.recipes.segmentation import Data
from dofkit.refining import BUILDERS, shipped_network
from dofkit.spn import SpatialPropagation
from dofkit.weights import card, load_weights, metadata

TINY = DepthRecipe((64, 48), (64,), 4, (3,), (2,), (2,), 1e-3, 0.25, 0.05, 3, 2, real=False)
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


def ramp(seed: int) -> Item:
    """Darker is farther, and a body in the middle."""
    rng = np.random.default_rng(seed)
    depth = np.geomspace(1, 9, 64, dtype=np.float32)[:, None].repeat(48, 1)
    mask = np.zeros((64, 48), bool)
    mask[20:50, 15:30] = True
    image = np.repeat((1 - depth / 10)[..., None], 3, 2) + rng.normal(0, 0.02, (64, 48, 3))
    return Item(image.clip(0, 1).astype(np.float32), mask, pairs=orders_from_depth(depth, 80, rng), name=str(seed))


def pools() -> Data:
    return Data([hold(map(ramp, range(6)), TINY.shape)], [hold(map(ramp, range(20, 23)), TINY.shape)])


def by_light(image: torch.Tensor) -> torch.Tensor:
    return -image[:, :1]


def state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_whdr_of_light_and_its_opposite():
    right, wrong = (mean_whdr(lambda x, sign=sign: sign * by_light(x), pools().validation, CPU) for sign in (1, -1))
    assert right < 0.1
    assert wrong > 0.9


def test_the_objective_is_both_equations_over_all_pairs():
    recipe = replace(TINY, delta=0.01, weight=0.7)
    items = [ramp(i) for i in range(20, 23)]
    each = []
    for item in items:
        z = by_light(torch.from_numpy(np.round(item.image * 255) / 255).float().permute(2, 0, 1)[None])
        body = z[0, 0][torch.from_numpy(item.mask)]
        apart = (body[:, None] - body).square()
        each.append(float(ranking_loss(z, torch.from_numpy(item.pairs)[None])
                          + 0.7 * (apart - 0.01).clamp(min=0).mean()))
    assert mean_objective(by_light, pools().validation, CPU, recipe) == pytest.approx(np.mean(each), rel=1e-5)


def test_coarse_depth_begins_as_the_person_network(tmp_path):
    torch.manual_seed(0)
    start = CoarseNetwork(width=4)
    before = state(start)
    network, run = train_coarse(replace(TINY, rate=0.0), pools(), start, seed=0, folder=tmp_path, engine=CPU)
    learned = {name for name, _ in network.named_parameters()}
    assert run.steps == 3
    for name, value in network.state_dict().items():
        if name in learned and not name.startswith("score."):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(network.score.weight, start.score.weight)
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())


def test_the_spn_begins_with_the_guidance_of_segmentation():
    learned = shipped_network("segmentation-spn")
    spn, again, other = (untrained_spn(seed) for seed in (0, 0, 1))
    for name, value in spn.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        if name.startswith("guidance."):
            assert torch.equal(value, learned.state_dict()[name])
    assert not torch.equal(spn.into.weight, other.into.weight)
    assert not torch.equal(spn.into.weight, learned.into.weight)


@pytest.mark.parametrize("consistent", [False, True])
def test_a_stage_of_the_spn(tmp_path, consistent):
    """The coarse network stays; steps and what chooses the best are the stage's own."""
    torch.manual_seed(0)
    coarse, spn = CoarseNetwork(width=4), SpatialPropagation(width=4, channels=2)
    before = state(coarse)
    recipe = replace(TINY, ranking_steps=(2,), consistency_steps=(5,))
    run = train_spn(recipe, pools(), coarse, spn, consistent=consistent, seed=0, folder=tmp_path, engine=CPU)
    assert run.steps == (5 if consistent else 2)
    assert all(torch.equal(value, before[name]) for name, value in coarse.state_dict().items())
    assert run.best < 0 if consistent else 0 <= run.best <= 1


def test_eq_3_draws_a_body_together(tmp_path):
    """With it alone, a few steps bring the depths of one body closer to each other than they were."""
    torch.manual_seed(0)
    coarse, spn = CoarseNetwork(width=4), SpatialPropagation(width=4, channels=2)
    item = ramp(20)
    image, mask = torch.from_numpy(item.image).permute(2, 0, 1)[None], torch.from_numpy(item.mask)[None, None].float()

    def spread() -> float:
        with torch.no_grad():
            return float(body_consistency_loss(spn.eval()(image, 3 * by_light(image)), mask, 0.0))

    before = spread()
    recipe = replace(TINY, consistency_steps=(30,), delta=0.0, weight=100.0, rate=3e-3)
    train_spn(recipe, pools(), coarse, spn, consistent=True, seed=0, folder=tmp_path, engine=CPU)
    assert spread() < 0.9 * before  # how much closer depends on the rounding of the machine


def test_the_whole_and_its_card(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "quick", replace(TINY, seeds=2))
    monkeypatch.setattr(making_depth, "SCENES", 1)
    monkeypatch.setattr(making_depth, "TESTS", [("selfie", "selfie", (64, 48))])
    report = make_depth("quick", tmp_path, engine=CPU, stage=silent)
    assert json.loads((tmp_path / making_depth.REPORT).read_text()) == json.loads(json.dumps(report))
    assert report["recipe"] == asdict(replace(TINY, seeds=2))
    assert len(report["other seeds"]) == 1 and report["other seeds"][0] != report["test"]
    assert (tmp_path / "seed-1/consistency/best.safetensors").exists()
    assert [report["training"][name]["steps"] for name in ("coarse", "ranking", "consistency")] == [3, 2, 2]
    assert list(report["test"]) == ["ranking", "consistency"]
    assert report["test"]["ranking"]["scenes, selfie"]["photographs"] == 1
    for name, kind in (("coarse", "coarse"), ("ranking", "spn"), ("spn", "spn")):
        file = tmp_path / f"depth-{name}.safetensors"
        assert metadata(file).arguments == metadata(f"segmentation-{kind}").arguments
        assert card(file) == depth_card(name, report)
        assert file.stat().st_size < 8e6
        load_weights(file, BUILDERS)
    ranking, spn = (load_weights(tmp_path / f"depth-{name}.safetensors", BUILDERS) for name in ("ranking", "spn"))
    assert not torch.equal(ranking.into.weight, spn.into.weight)
    assert "consistency" not in card(tmp_path / "depth-ranking.safetensors")
    text = card(tmp_path / "depth-spn.safetensors")
    assert "- ranking: 2 steps" in text and "- consistency: 2 steps" in text and "objective (Eq. 2 and 3)" in text
    assert "`dofkit train depth --profile quick --seed 0`" in text
    assert "| scenes, selfie | lower is nearer |" in text


def test_what_is_gathered():
    data = gather(TINY)
    assert [(len(pool), pool.share) for pool in data.train] == [(3, pytest.approx(1 / 3)), (3, pytest.approx(2 / 3))]
    assert [len(pool) for pool in data.validation] == [2, 2]
    for pool in (*data.train, *data.validation):
        assert all(set(np.unique(pairs[:, 4])) <= {-1, 1} for pairs in pool.pairs)
        assert min(len(pairs) for pairs in pool.pairs) > 100


def test_vgg_16_is_for_the_segmentation(tmp_path, capsys):
    assert cli.main(["train", "depth", "--out", str(tmp_path), "--vgg16", "vgg.pth"]) == 2
    assert "begin as the segmentation's: leave out the VGG-16 weights" in capsys.readouterr().err
