# SPDX-License-Identifier: GPL-3.0-or-later
"""Eq. 5 and 6 against a plain double loop, a supersampled disc, and their own promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dofkit.blur import disc_blur, disc_kernel, guided_blur


def loop_blur(image, m, w):
    """Eq. 6 written out."""
    n = w.shape[0] // 2
    out = image.copy()
    for y, x in np.ndindex(m.shape):
        weight, total = 0.0, 0.0
        for dy, dx in np.ndindex(w.shape):
            v, u = y + dy - n, x + dx - n
            if 0 <= v < m.shape[0] and 0 <= u < m.shape[1]:
                share = w[dy, dx] * (1 - m[v, u])
                weight, total = weight + share, total + share * image[v, u]
        if weight > 1e-5:
            out[y, x] = total / weight
    return out


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 7), st.sampled_from(["area", "printed"]))
def test_guided_blur_is_equation_6(seed, r, disc):
    rng = np.random.default_rng(seed)
    image = rng.random((11, 9, 3)).astype(np.float32)
    m = (rng.random((11, 9)) > 0.5).astype(np.float32) * rng.random((11, 9)).astype(np.float32)
    expected = loop_blur(image.astype(np.float64), m, disc_kernel(r, disc).astype(np.float64))
    assert np.abs(guided_blur(image, m, r, disc=disc) - expected).max() < 2e-5


@pytest.mark.parametrize("r", [0.51, 0.7, 1.0, 1.5, 2.3, 5.0, 12.7])
def test_area_disc_is_the_covered_area(r):
    w = disc_kernel(r)
    n, fine = w.shape[0] // 2, 100
    p = (np.arange(w.shape[0] * fine) + 0.5) / fine - n - 0.5
    covered = (p[:, None] ** 2 + p[None] ** 2 < r * r).reshape(len(w), fine, len(w), fine).mean((1, 3))
    assert np.abs(w - covered / covered.sum()).max() < 1e-3 / r


def test_printed_disc_is_equation_5():
    w = disc_kernel(3.0, "printed")
    y, x = np.mgrid[-2:3, -2:3]
    assert ((w > 0) == (x**2 + y**2 < 9)).all() and np.ptp(w[w > 0]) == 0
    assert w.sum() == pytest.approx(1, abs=1e-6)


def test_constant_picture_stays_constant_up_to_the_frame():
    image = np.full((20, 30, 3), 0.37, np.float32)
    for r in (1.0, 6.5, 25.0):
        assert np.abs(disc_blur(image, r) - 0.37).max() < 1e-5


def test_person_never_reaches_the_background():
    image = np.zeros((40, 40, 3), np.float32)
    m = np.zeros((40, 40), np.float32)
    m[10:30, 10:30] = 1
    image[10:30, 10:30] = 1  # a white person before a black wall
    assert guided_blur(image, m, 6.0)[m == 0].max() < 1e-5
    assert disc_blur(image, 6.0)[m == 0].max() > 0.3  # what Fig. 3(c) shows


def test_without_background_in_reach_the_picture_stays():
    image = np.random.default_rng(0).random((30, 30, 3)).astype(np.float32)
    assert (guided_blur(image, np.ones((30, 30), np.float32), 4.0) == image).all()


def test_single_background_pixel_is_found_from_afar():
    image = np.zeros((61, 61), np.float32)
    m = np.ones((61, 61), np.float32)
    m[30, 30], image[30, 30] = 0, 0.8
    out = guided_blur(image, m, 25.0)
    assert out[30, 50] == pytest.approx(0.8, abs=1e-3) and out[0, 0] == 0


def test_grey_pictures_and_bad_input():
    assert disc_blur(np.ones((5, 6), np.float32), 2.0).shape == (5, 6)
    with pytest.raises(ValueError, match="mask"):
        guided_blur(np.ones((5, 6), np.float32), np.ones((6, 5), np.float32), 2.0)
    for r in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="radius"):
            disc_kernel(r)
