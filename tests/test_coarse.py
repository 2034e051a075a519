# SPDX-License-Identifier: GPL-3.0-or-later
"""The first guess: a face is found, a person is cut out, lower is nearer."""

import subprocess
import sys

import cv2
import matplotlib.cbook
import numpy as np
import pytest
from skimage import data

from dofkit.coarse import body_outline, grabcut_mask, lower_is_nearer
from dofkit.faces import find_face
from dofkit.photo import read_photo


@pytest.fixture(scope="module")
def hopper():
    return read_photo(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).image


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut() / np.float32(255)


@pytest.fixture(scope="module")
def hopper_cut(hopper):
    return grabcut_mask(hopper)


def pasted_person(height=240, width=160, x=0.5):
    """A flat figure with a body's outline on a flat ground, and its mask: no face for the finder."""
    person = body_outline((height, width), (x * width, 0.125 * height, 0.09 * height), "whole-body") > 0.5
    image = np.full((height, width, 3), (0.3, 0.55, 0.8), np.float32)
    image[person] = 0.75, 0.35, 0.2
    noise = np.random.default_rng(5).normal(0, 0.02, image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32), person


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_face_scales_with_the_picture(astronaut, scale):
    side = round(512 * scale)
    x, y, w, h = find_face(cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA))
    assert (x + w / 2) / scale == pytest.approx(224, abs=20)  # between the eyes and the mouth
    assert (y + h / 2) / scale == pytest.approx(115, abs=25)
    assert w / scale == pytest.approx(105, abs=25)


def test_a_face_lies_inside_the_picture(hopper):
    x, y, w, h = find_face(hopper)
    assert 0 <= x < x + w <= hopper.shape[1]
    assert 0 <= y < y + h <= hopper.shape[0]


@pytest.mark.parametrize("name", ["rocket", "grass", "brick"])
def test_where_there_is_nobody_no_face_is_found(name):
    picture = getattr(data, name)()
    picture = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture
    assert find_face(picture / np.float32(255)) is None


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (31, 31), (40, 33)])
def test_small_pictures_have_no_face(shape):
    assert find_face(np.full((*shape, 3), 0.5, np.float32)) is None


def test_the_portrait_is_cut_out(hopper, hopper_cut):
    mask = hopper_cut.mask
    assert mask.shape == hopper.shape[:2]
    assert mask.dtype == np.float32
    assert mask.min() == 0
    assert mask.max() == 1
    assert "face found" in hopper_cut.message
    x, y, w, h = hopper_cut.face
    assert (mask[y : y + h, x + w // 6 : x + 5 * w // 6] > 0.5).mean() > 0.97
    assert (mask[450:590, 80:430] > 0.5).mean() > 0.97  # the jacket
    assert (mask[:250, 440:] > 0.5).mean() < 0.03  # the blue wall
    assert (mask[:150, :60] > 0.5).mean() < 0.03  # the flag


def test_the_mask_is_hard_but_for_its_outline(hopper_cut):
    assert ((hopper_cut.mask > 0.05) & (hopper_cut.mask < 0.95)).mean() < 0.03


def test_the_same_picture_gives_the_same_mask(hopper, hopper_cut):
    cv2.setRNGSeed(99)
    assert np.array_equal(grabcut_mask(hopper).mask, hopper_cut.mask)


def test_without_a_face_a_body_in_the_middle_is_assumed():
    image, person = pasted_person()
    cut = grabcut_mask(image)
    assert cut.face is None
    assert "no face found" in cut.message
    assert ((cut.mask > 0.5) & person).sum() > 0.9 * ((cut.mask > 0.5) | person).sum()


def test_an_unknown_mode_is_refused(astronaut):
    with pytest.raises(ValueError, match="mode must be"):
        grabcut_mask(astronaut, "portrait")


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (12, 9), (8, 200), (200, 8), (64, 64)])
def test_tiny_and_flat_pictures_give_a_usable_mask(shape):
    cut = grabcut_mask(np.full((*shape, 3), 0.5, np.float32))
    assert cut.mask.shape == shape
    assert np.isfinite(cut.mask).all()
    assert "no face found" in cut.message


def test_the_mask_follows_edges_at_full_size():
    """The cut is made at 400 px; the mask of a 1200-px picture still changes where the picture does."""
    image, person = pasted_person(1200, 800)
    mask = grabcut_mask(image).mask
    wrong = ((mask > 0.5) != person)[200:700].sum()
    blocky = cv2.resize(cv2.resize(person.astype(np.float32), (267, 400)), (800, 1200))
    assert wrong < 0.2 * ((blocky > 0.5) != person)[200:700].sum()


def test_lower_is_nearer_and_the_person_stands_at_the_feet():
    mask = np.zeros((11, 6), np.float32)
    mask[2:8, 2:4] = 1
    mask[9, 5] = 1  # a speck is no foot
    depth = lower_is_nearer(mask)
    assert depth.dtype == np.float32
    assert depth[:, 0].tolist() == pytest.approx(np.linspace(1, 0, 11).tolist())
    assert np.all(depth[2:8, 2:4] == depth[7, 0])
    assert np.all(np.diff(depth[:, 0]) < 0)


@pytest.mark.parametrize("mask", [np.zeros((5, 4)), np.ones((5, 4)), np.zeros((1, 1))])
def test_lower_is_nearer_of_nobody_and_everybody(mask):
    depth = lower_is_nearer(mask)
    assert depth.shape == mask.shape
    assert depth.min() >= 0
    assert depth.max() <= 1


def test_the_first_guess_needs_no_torch():
    asked = "import sys, dofkit.coarse; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
