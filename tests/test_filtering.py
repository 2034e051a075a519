# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned filter on photographs: the radii it is told, sizes it has not learned, the person it leaves alone."""

import numpy as np
import pytest
import torch
from torch import nn

from dofkit import PhotoError, PortraitMode
from dofkit.filtering import LARGEST, WORK_SIDE, blur_radius, filter_photo, keep_person
from dofkit.layers import split_layers
from dofkit.metrics import psnr
from dofkit.render import layer_radii
from dofkit.scenes import portrait_scene


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(2, (240, 160), "whole-body", "validation")


class Told(nn.Module):
    """Remembers what it was told, and paints all of it grey."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, image, guides):
        self.seen = tuple(image.shape[-2:]), float(guides[:, 1].max())
        return torch.full_like(image, 0.5)


def test_radii_are_those_of_the_layers_at_their_centres(scene):
    m = scene.mask.astype(np.float32)
    split = split_layers(scene.depth, 6, solver="threshold")
    wanted = layer_radii(split.labels, m, 6, 5.0)[split.labels]
    asked = blur_radius(scene.depth, m, 6, 5.0)
    behind = ~scene.mask
    assert (asked[scene.mask] == 0).all()
    assert np.abs(asked - wanted)[behind].max() <= 5.0 / 2  # half of the largest step there can be
    assert np.corrcoef(asked[behind], wanted[behind])[0, 1] > 0.95


def test_farther_is_never_blurred_less(scene):
    r = blur_radius(scene.depth, np.zeros_like(scene.depth), 6, 5.0)
    order = np.argsort(scene.depth, axis=None)
    assert (np.diff(r.ravel()[order]) >= -1e-6).all() and r.max() == pytest.approx(5.0)


@pytest.mark.parametrize(("size", "r", "seen"), [
    ((200, 120), LARGEST, (200, 120)),
    ((1024, 512), 2.0, (WORK_SIDE, WORK_SIDE // 2)),
    ((300, 200), 3 * LARGEST, (100, 67)),
])
def test_the_filter_sees_sizes_and_radii_that_it_has_learned(size, r, seen):
    model = Told()
    image, m = np.full((*size, 3), 0.25, np.float32), np.zeros(size, np.float32)
    filter_photo(model, image, m, np.full(size, r, np.float32))
    assert model.seen[0] == seen
    assert model.seen[1] <= LARGEST / 8 * 1.01


def test_a_large_photograph_keeps_its_detail_where_it_is_sharp():
    size = (1536, 1024)
    fine = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    r = np.zeros(size, np.float32)
    r[:, 512:] = 12

    class Same(Told):
        def forward(self, image, guides):
            return image

    made = filter_photo(Same(), fine, np.zeros(size, np.float32), r)
    assert np.abs(made - fine)[:, :500].max() < 1e-6
    assert made[:, 520:].std() < fine[:, 520:].std() / 2


def test_the_person_is_left_alone_bit_for_bit(scene):
    portrait = PortraitMode(mode="whole-body", method="rnn")(scene.image, scene.mask.astype(np.float32), scene.depth)
    deep = keep_person(np.zeros_like(scene.image), portrait.mask, np.ones_like(scene.image))[..., 0] == 0
    assert deep.mean() > 0.03 and (portrait.result[deep] == scene.image[deep]).all()
    assert portrait.alpha is None and portrait.labels is None and len(portrait.radii) == 1
    assert portrait.result.min() >= 0 and portrait.result.max() <= 1


def test_the_shipped_filter_imitates_the_renderer():
    gains = []
    for number in range(3):
        scene = portrait_scene(number, (360, 240), "whole-body", "validation")
        m = scene.mask.astype(np.float32)
        crf, rnn = (PortraitMode(mode="whole-body", method=method)(scene.image, m, scene.depth).result
                    for method in ("crf", "rnn"))
        gains.append(psnr(rnn, crf) - psnr(scene.image, crf))
    assert np.mean(gains) > 2, gains  # dB nearer to it than the photograph is


def test_a_selfie_is_blurred_without_depth(scene):
    portrait = PortraitMode(mode="selfie", method="rnn")(scene.image, scene.mask.astype(np.float32))
    far = scene.mask == 0
    assert portrait.depth is None and np.abs(portrait.result - scene.image)[far].mean() > 0.003



@pytest.mark.parametrize("option", [{"space": "linear"}, {"foreground": True}, {"crf": False}, {"guided": False}])
def test_options_that_the_filter_did_not_learn_are_refused(option):
    with pytest.raises(PhotoError, match="RNN filter learned"):
        PortraitMode(method="rnn", **option)
