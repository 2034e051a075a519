# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photograph to the person: what the networks are shown, what comes back, whom the shipped ones find."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

from dofkit import PhotoError, PortraitMode, cli, pipeline, segmentation
from dofkit.coarse import grabcut_mask
from dofkit.coarse.network import CoarseNetwork
from dofkit.datasets import scenes
from dofkit.evaluation import evaluate_masks
from dofkit.photo import write_photo
from dofkit.pipeline import mode_of
from dofkit.recipes.segmentation import RECIPES
from dofkit.refining import HEIGHTS, Refiner
from dofkit.segmentation import NOBODY, UNSURE, Segmentation, Segmenter, check_guess, segmenter
from dofkit.spn import SpatialPropagation
from dofkit.weights import WeightsError

NOT_THERE = "no person was found in this photograph"


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


def small(height: int = 64) -> Segmenter:
    """Networks that know nothing, of the kit's own kind."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = CoarseNetwork(width=4).eval(), SpatialPropagation(width=4, channels=2).eval()
    return Segmenter(*networks, heights=(height,))


class Ramp(nn.Module):
    """Logits that grow to the right, whatever the picture is."""

    def forward(self, image):
        return torch.linspace(-9, 12, image.shape[-1]).expand(len(image), 1, *image.shape[-2:])


class Plus(nn.Module):
    """A refinement that adds the picture's red."""

    def forward(self, image, coarse):
        return coarse + image[:, :1]


# what the networks are shown and what comes back


def test_masks_are_one_over_one_plus_exp_minus_v():
    """At the networks' own size nothing is resized: the mask is that of the equation, however large v is."""
    image = noise(64, 48)
    v = np.random.default_rng(1).normal(2, 4, (64, 48)).astype(np.float32)
    found = Segmenter(lambda picture: v, Plus(), heights=(64,))(image)
    assert found.coarse == pytest.approx(1 / (1 + np.exp(-v)), abs=1e-6)
    assert found.mask == pytest.approx(1 / (1 + np.exp(-v - image[..., 0])), abs=1e-6)
    extreme = np.where(v > 0, 1000, -1000).astype(np.float32)
    assert np.array_equal(Segmenter(lambda picture: extreme, None, heights=(64,))(image).mask, np.float32(v > 0))


def test_without_an_spn_the_guess_is_the_mask():
    three = np.full((9, 9), 3, np.float32)
    found = Segmenter(lambda picture: three, None, name="my guess", heights=(32,))(noise(20, 30))
    assert np.array_equal(found.mask, found.coarse)
    assert found.message == "the person was found by my guess"
    assert small()(noise(30, 30)).message in (
        "the person was found by the coarse network and refined by the SPN", NOT_THERE)


def test_a_photograph_and_its_mirror_image_are_treated_alike():
    image = noise(64, 48)
    logits, refined = Refiner(Ramp(), Plus(), heights=(64,))(image)
    assert logits == pytest.approx(np.full((64, 48), 1.5), abs=1e-5)
    assert refined == pytest.approx(1.5 + image[..., 0], abs=1e-5)
    segment = small().refiner
    there, mirrored = (segment(picture) for picture in (image, image[:, ::-1].copy()))
    for a, b in zip(there, mirrored, strict=True):
        assert a == pytest.approx(b[:, ::-1], abs=1e-4)


def test_the_logits_of_two_heights_are_averaged():
    """The guess is asked once, the networks at each height."""
    class Height(nn.Module):
        def forward(self, image, coarse=None):
            return torch.full((len(image), 1, *image.shape[-2:]), image.shape[-2] / 10)

    coarse, refined = Refiner(Height(), Height(), heights=(20, 60))(noise(100, 50))
    assert coarse == pytest.approx(np.full((60, 30), 4.0)) and np.array_equal(coarse, refined)
    asked = []
    guess = Refiner(lambda picture: asked.append(0) or np.zeros((9, 9), np.float32), Height(), heights=(20, 60))
    coarse, refined = guess(noise(100, 50))
    assert not coarse.any() and refined == pytest.approx(np.full((60, 30), 4.0)) and asked == [0]


def test_a_guess_sees_the_photograph_and_may_have_any_size():
    seen = []

    def guess(picture):
        seen.append(picture.shape)
        return np.where(np.arange(100) < 50, 8, -8).astype(np.float32) * np.ones((40, 1), np.float32)

    found = Segmenter(guess, Plus(), heights=(50,))(noise(160, 400))
    assert seen == [(160, 400, 3)]
    assert found.mask.shape == (160, 400)
    assert found.mask[:, :190].min() > 0.99 and found.mask[:, 210:].max() < 0.01


@pytest.mark.parametrize(("pixels", "message"), [(16, NOT_THERE), (17, "the person was found by the coarse network")])
def test_who_covers_less_than_that_is_nobody(pixels, message):
    """0.4 % of 64 x 64 are 16.4 pixels."""
    assert NOBODY == 0.004
    v = np.full((64, 64), -5, np.float32)
    v.ravel()[:pixels] = 5
    found = Segmenter(lambda picture: v, None, heights=(64,))(noise(64, 64))
    assert found.message == message
    assert found.mask.any() == (pixels == 17)
    assert (found.coarse > 0.5).sum() == pixels


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2), (32, 32), (63, 65), (64, 64), (70, 500)])
def test_any_size_of_photograph(size):
    segment = small()
    segment.refiner.guess.score.bias.data.fill_(3)
    image = noise(*size)
    image.flags.writeable = False
    found, again = segment(image), segment(image)
    for mask in (found.mask, found.coarse):
        assert mask.shape == size and mask.dtype == np.float32
        assert mask.min() >= 0 and mask.max() <= 1
    assert np.array_equal(found.mask, again.mask)


def test_twelve_megapixels_need_little_memory():
    """The picture has 144 MB; masks of its size have 48 MB each."""
    image = np.full((3000, 4000, 3), 0.5, np.float32)
    segment = small()
    segment.refiner.guess.score.bias.data.fill_(3)
    tracemalloc.start()
    found = segment(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.mask.shape == (3000, 4000)
    assert peak < 400e6


def test_networks_are_used_where_they_are():
    """On a GPU; here on "meta", which cannot compute, so these two only look at what they are given."""

    class Elsewhere(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1, device="meta"))

        def forward(self, *given):
            assert given[0].device.type == "meta"
            return torch.full((len(given[0]), 1, *given[0].shape[-2:]), 4.0)

    for spn in (None, Elsewhere()):
        assert Segmenter(Elsewhere(), spn, heights=(30,))(noise(20, 30)).mask.min() > 0.9


def test_nothing_else_is_touched():
    segment = small()
    before = {name: value.clone() for name, value in segment.refiner.spn.state_dict().items()}
    state = torch.get_rng_state()
    segment(noise(40, 40))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in segment.refiner.spn.state_dict().items())
    assert not any(p.grad is not None for p in segment.refiner.spn.parameters())


@pytest.mark.parametrize(("size", "seen"), [
    ((128, 96), (64, 48)), ((100, 150), (64, 96)), ((30, 20), (64, 43)), ((50, 400), (16, 128)), ((640, 10), (64, 1))])
def test_people_are_shown_at_one_height(size, seen):
    """Unless the photograph is more than twice as wide as it is high."""
    shapes = []

    class Looking(Ramp):
        def forward(self, image):
            shapes.append(tuple(image.shape[-2:]))
            return super().forward(image)

    Segmenter(Looking(), None, heights=(64,))(noise(*size))
    assert shapes == [seen]


@pytest.mark.parametrize(("probability", "face", "found"), [(0.89, False, False), (0.91, False, True),
                                                            (0.89, True, True), (0.6, True, True)])
def test_an_unsure_mask_needs_a_face(probability, face, found):
    assert UNSURE == 0.9
    image = data.astronaut()[::2, ::2] / np.float32(255) if face else noise(256, 256)
    v = np.full((256, 256), -6, np.float32)
    v[:, 100:] = np.log(probability / (1 - probability))
    told = Segmenter(lambda picture: v, None, heights=(256,))(image)
    assert (told.message != NOT_THERE) == told.mask.any() == found


# what an option may say


@pytest.mark.parametrize("nonsense", ["nonsense", "", "transformers", "transformers:", "Network", "graphcut:3"])
def test_guesses_that_there_are_not(nonsense):
    for use in (check_guess, segmenter, lambda name: PortraitMode(coarse=name)):
        with pytest.raises(WeightsError, match="choose network, graphcut or transformers:MODEL"):
            use(nonsense)


def test_the_graph_cut_goes_unrefined():
    image = data.astronaut()[::4, ::4] / np.float32(255)
    found, wanted = segmenter("graphcut", "selfie")(image), grabcut_mask(image, "selfie")
    assert np.array_equal(found.mask, wanted.mask) and np.array_equal(found.coarse, wanted.mask)
    assert found.message == wanted.message


def test_a_model_of_others_is_refined_by_the_spn(monkeypatch):
    from dofkit.coarse import offtheshelf

    asked = []
    monkeypatch.setattr(offtheshelf, "load_segmenter", lambda spec: asked.append(spec) or (
        lambda picture: np.full(picture.shape[:2], 2, np.float32)))
    monkeypatch.setattr(segmentation, "shipped_network", lambda name: asked.append(name) or Plus())
    image = noise(30, 20)
    found = segmenter("transformers:some/model#hat,hair")(image)
    assert asked == ["some/model#hat,hair", "segmentation-spn"]
    assert found.message == "the person was found by some/model#hat,hair and refined by the SPN"
    assert found.coarse == pytest.approx(np.full((30, 20), 1 / (1 + np.exp(-2))), abs=1e-5)
    assert found.mask.min() > found.coarse.max()


# the pipeline behind it


def standing(height: int = 60, width: int = 40) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    mask[height // 10 : -height // 10, width * 2 // 5 : width * 3 // 5] = 1
    return mask


def test_the_pipeline_takes_what_was_found(monkeypatch):
    asked = []
    found = Segmentation(standing(), 0.8 * standing(), "somebody was found")
    monkeypatch.setattr(pipeline, "segmenter", lambda *given: asked.append(given) or (lambda image: found))
    portrait = PortraitMode(coarse="graphcut", mode="selfie", coarse_depth="prior")(noise(60, 40))
    assert asked == [("graphcut", "selfie")]
    assert portrait.mask is found.mask and portrait.coarse is found.coarse
    assert portrait.messages == ("somebody was found",)
    given = PortraitMode(coarse_depth="prior", depth=False)(noise(60, 40), standing())
    assert np.array_equal(given.coarse, standing()) and given.messages == () and len(asked) == 1


def test_the_pipeline_does_not_blur_around_nobody(monkeypatch):
    nobody = Segmentation(np.zeros((60, 40), np.float32), np.zeros((60, 40), np.float32), NOT_THERE)
    monkeypatch.setattr(pipeline, "segmenter", lambda *given: lambda image: nobody)
    with pytest.raises(PhotoError, match="no person was found in this photograph: give a mask of your own"):
        PortraitMode()(noise(60, 40))


def test_where_there_is_a_face_there_is_somebody(monkeypatch):
    """If the networks find nobody, and yet there is a face, the graph cut that starts from it has its turn."""
    asked = []
    nobody, found = Segmentation(0 * standing(), 0 * standing(), NOT_THERE), Segmentation(standing(), standing(), "cut")
    monkeypatch.setattr(pipeline, "find_face", lambda image: (1, 2, 3, 3))
    monkeypatch.setattr(pipeline, "segmenter", lambda *given: asked.append(given) or (
        lambda image: found if given[0] == "graphcut" else nobody))
    portrait = PortraitMode(mode="selfie", coarse="network")(noise(60, 40))
    assert asked == [("network", "auto"), ("graphcut", "selfie")]  # networks find either kind
    assert portrait.mask is found.mask and portrait.messages == ("cut",)


def test_the_mode_is_told_from_the_mask():
    upper = np.zeros((60, 40), bool)
    upper[20:, 8:32] = True
    cut_off = standing()
    cut_off[6:, 16:24] = 1  # leaves at the lower edge, but is narrow there
    assert [mode_of(mask) for mask in (standing(), upper, cut_off, np.ones((6, 4)))] == [
        "whole-body", "selfie", "whole-body", "selfie"]


@pytest.mark.parametrize("kind", ["selfie", "whole-body"])
def test_the_mode_of_scenes(kind):
    told = [mode_of(item.mask.astype(np.float32)) for item in scenes(12, split="test", kind=kind, size=(64, 48))]
    assert told.count(kind) >= 11, told


@pytest.mark.parametrize("more", [(), ("--mask", "mask.png")])
def test_render_refuses_a_guess_there_is_not(tmp_path, monkeypatch, capsys, more):
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "me.png", noise(60, 40))
    write_photo(tmp_path / "mask.png", np.repeat(standing()[..., None], 3, 2))
    assert cli.main(["render", "me.png", "-o", "out.png", "--coarse", "nonsense", *more]) == 2
    said = capsys.readouterr()
    assert said.err == ("dofkit: no coarse guess is called 'nonsense': choose network, graphcut or "
                        "transformers:MODEL\n")
    assert said.out == "" and not (tmp_path / "out.png").exists()


def test_render_with_the_graph_cut(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "me.png", data.astronaut()[::4, ::4] / np.float32(255))
    assert cli.main(["render", "me.png", "-o", "out.png", "--coarse", "graphcut", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert any("graph cut" in note for note in report["notes"])


# the networks that come with the kit

REFINED_BAR, GAIN, GAIN_NEAR_BOUNDARY = 0.9, 0.01, 0.03
"""Mean IoU that the shipped networks reach on scenes of the test split, and what the SPN adds to the coarse one's."""


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_the_astronaut_is_found(factor):
    image = data.astronaut()[::factor, ::factor] / np.float32(255)
    found = Segmenter.shipped()(image)
    face, corners = (slice(80 // factor, 128 // factor), slice(200 // factor, 250 // factor)), 32 // factor
    assert found.mask[face].mean() > 0.95
    assert max(found.mask[:corners, :corners].max(), found.mask[:corners, -corners:].max()) < 0.5
    assert 0.2 < (found.mask > 0.5).mean() < 0.75
    assert found.message == "the person was found by the coarse network and refined by the SPN"


def test_a_photograph_of_32_pixels_works():
    """Whether somebody can be found in so few pixels is another question."""
    found = Segmenter.shipped()(data.astronaut()[::16, ::16] / np.float32(255))
    assert found.mask.shape == found.coarse.shape == (32, 32)
    assert (found.message == NOT_THERE) == (not found.mask.any())


def test_the_astronaut_is_found_in_twelve_megapixels():
    import cv2

    found, large = (Segmenter.shipped()(cv2.resize(data.astronaut(), size) / np.float32(255)).mask
                    for size in ((400, 300), (4000, 3000)))
    assert large.shape == (3000, 4000)
    assert np.abs(cv2.resize(large, (400, 300), interpolation=cv2.INTER_AREA) - found).mean() < 0.02


@pytest.mark.parametrize(
    "name", ["coffee", "rocket", "chelsea", "hubble_deep_field", "brick", "grass", "coins", "page"])
def test_nobody_is_found_where_nobody_is(name):
    """All of these come with scikit-image."""
    image = np.atleast_3d(getattr(data, name)())[..., :3] / np.float32(255)
    found = Segmenter.shipped()(np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.float32))
    assert not found.mask.any(), f"{(found.mask > 0.5).mean():.1%}"
    assert found.message == NOT_THERE


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_nobody_is_found_on_a_wall(level):
    assert Segmenter.shipped()(np.full((120, 90, 3), level, np.float32)).message == NOT_THERE


def test_the_shipped_networks_on_scenes():
    drawn = [item for kind in ("selfie", "whole-body")
             for item in scenes(4, split="test", kind=kind, size=(224, 160))]
    tests = scenes(1, split="test", kind="selfie", size=(224, 160))
    scores = evaluate_masks(Segmenter.shipped(), type(tests)("scenes", range(8), drawn.__getitem__))
    coarse, refined = scores.mean("coarse"), scores.mean("refined")
    assert refined > REFINED_BAR
    assert refined > coarse + GAIN
    assert scores.mean("refined_near_boundary") > scores.mean("coarse_near_boundary") + GAIN_NEAR_BOUNDARY


def test_the_shipped_networks_were_made_for_this_size():
    from dofkit.weights import card, metadata

    assert RECIPES["full"].shown == HEIGHTS
    for name, network in (("segmentation-coarse", "coarse"), ("segmentation-spn", "spn")):
        assert metadata(name).network == network
        assert "--profile full" in card(name) and "CCP val" in card(name) and "selfie test" in card(name)
