# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes: the same from the same seed, apart between splits, and true to their own matte, depth and plate."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dofkit.scenes import Scene, SceneError, develop, glasses, lens, portrait_scene
from dofkit.scenes import scene as scene_module
from dofkit.scenes.casting import cast
from dofkit.scenes.composing import compose
from dofkit.scenes.grounds import FLOORS, TEST_FLOOR
from dofkit.scenes.hair import STYLES, TEST_STYLE
from dofkit.scenes.lens import LensError
from dofkit.scenes.moods import INDOOR, OUTDOOR, TEST_MOOD, draw_light

KINDS = ("selfie", "whole-body")


@lru_cache(maxsize=32)
def scene(seed: int, kind: str, size: int = 128) -> Scene:
    return portrait_scene(seed, size, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_types_and_ranges(kind: str) -> None:
    made = portrait_scene(3, (90, 64), kind)
    assert made.image.shape == made.radiance.shape == made.plate.shape == (90, 64, 3)
    assert made.depth.shape == made.alpha.shape == made.mask.shape == (90, 64)
    for values in (made.image, made.radiance, made.plate, made.depth, made.alpha):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert made.mask.dtype == bool
    assert made.image.min() >= 0
    assert made.image.max() <= 1
    assert made.depth.min() > 0.2
    assert 0.05 < made.mask.mean() < 0.9
    np.testing.assert_array_equal(made.mask, made.alpha > 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_scene(kind: str) -> None:
    one, two = portrait_scene(5, 64, kind), portrait_scene(5, 64, kind)
    np.testing.assert_allclose(one.radiance, two.radiance, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(one.depth, two.depth, rtol=1e-6)
    np.testing.assert_array_equal(one.image, two.image)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_same_composition_at_every_size(kind: str, seed: int) -> None:
    small = scene(seed, kind)
    large = cv2.resize(scene(seed, kind, 256).alpha, (128, 128), interpolation=cv2.INTER_AREA) > 0.5
    assert (small.mask & large).sum() / (small.mask | large).sum() > 0.93
    near = np.abs(
        np.log(small.depth / cv2.resize(scene(seed, kind, 256).depth, (128, 128), interpolation=cv2.INTER_NEAREST))
    )
    assert np.median(near) < 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 2, 4])
def test_picture_is_person_over_plate(kind: str, seed: int) -> None:
    """I = alpha F + (1 - alpha) B, with alpha F the person's own layers where nothing is before them."""
    made = scene(seed, kind)
    margin = made.camera.margin
    inside = (slice(margin, -margin), slice(margin, -margin))
    person, cover = (part[inside] for part in lens.composite(made.layers[made.portrait], shape=made.camera.canvas))
    before = lens.composite(made.layers[made.portrait.stop :], shape=made.camera.canvas)[1][inside]
    free = before == 0
    expected = person + (1 - cover[..., None]) * made.plate
    np.testing.assert_allclose(made.radiance[free], expected[free], atol=2e-5)
    np.testing.assert_allclose(made.alpha, np.clip(cover * (1 - before), 0, 1), atol=1e-5)
    away = made.alpha == 0
    np.testing.assert_allclose(made.radiance[away], made.plate[away], atol=1e-6)


def test_person_has_relief() -> None:
    """Eq. 3 allows the body some spread of depth: it is there, and it is a body's."""
    spreads = []
    for seed in range(6):
        made = scene(seed, "whole-body")
        inner = cv2.erode(made.mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        spreads.append(np.subtract(*np.percentile(made.depth[inner], [98, 2])))
    assert all(0.08 < spread < 0.9 for spread in spreads)
    assert 0.1 < np.median(spreads) < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_person_is_nearer_than_the_place_behind(kind: str) -> None:
    made = scene(1, kind)
    margin = made.camera.margin
    from dofkit.scenes.layers import depth_of

    behind = depth_of(made.layers[: made.portrait.start], made.camera.canvas)[margin:-margin, margin:-margin]
    assert (made.depth[made.mask] <= behind[made.mask] + 0.3).mean() > 0.98
    assert np.median(behind[made.mask] - made.depth[made.mask]) > 0.5


def test_ordinal_pairs_are_exact() -> None:
    made = scene(2, "whole-body")
    points, gamma = made.ordinal_pairs(500, np.random.default_rng(0))
    assert points.shape == (500, 2, 2)
    i, j = (made.depth[points[:, k, 0], points[:, k, 1]] for k in (0, 1))
    np.testing.assert_array_equal(gamma, np.where(i > j, 1, -1))
    assert np.abs(np.log(i / j)).min() > 0.03
    assert 0.3 < (gamma > 0).mean() < 0.7
    again, _ = made.ordinal_pairs(500, np.random.default_rng(0))
    np.testing.assert_array_equal(points, again)


def test_splits_share_no_scene() -> None:
    pictures = [
        portrait_scene(seed, 32, "selfie", split).radiance
        for split in ("train", "validation", "test")
        for seed in (0, 1)
    ]
    for k, one in enumerate(pictures):
        assert all(np.abs(one - two).mean() > 0.01 for two in pictures[k + 1 :])


def test_some_factors_are_for_the_test_split_alone() -> None:
    def moods(test: bool) -> set[str]:
        return {draw_light(np.random.default_rng(k), indoor=False, test=test).name for k in range(60)}

    def styles(test: bool) -> set[str]:
        people = (cast(np.random.default_rng(k), selfie=True, test=test) for k in range(40))
        return {person.style.name for person in people if person.style is not None}

    assert TEST_MOOD.name in moods(True)
    assert TEST_MOOD.name not in moods(False) | {light.name for light in INDOOR + OUTDOOR}
    assert TEST_STYLE.name in styles(True)
    assert TEST_STYLE.name not in styles(False) | {style.name for style in STYLES}
    assert TEST_FLOOR not in FLOORS


@pytest.mark.parametrize("kind", KINDS)
def test_photograph_keeps_the_person_and_blurs_the_rest(kind: str) -> None:
    made = scene(4, kind)
    picture = made.photograph(lens_points=48)
    assert picture.shape == made.radiance.shape
    inner = cv2.erode(made.mask.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    outer = cv2.dilate(made.mask.astype(np.uint8), np.ones((15, 15), np.uint8)) == 0

    def detail(image: np.ndarray, where: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(develop(image), cv2.CV_32F))[where].mean())

    assert detail(picture, inner) > 0.6 * detail(made.radiance, inner)
    assert detail(picture, outer) < 0.8 * detail(made.radiance, outer)
    assert picture.mean() == pytest.approx(made.radiance.mean(), rel=0.05)


def test_a_closed_aperture_is_the_pinhole() -> None:
    made = scene(0, "whole-body")
    np.testing.assert_allclose(made.photograph(2000.0, lens_points=4), made.radiance, atol=0.06)
    np.testing.assert_allclose(made.photograph(2000.0, lens_points=1), made.radiance, atol=1e-5)


def test_more_lens_points_converge() -> None:
    made = scene(3, "whole-body")
    reference = develop(made.photograph(lens_points=512))

    def psnr(points: int) -> float:
        return float(-10 * np.log10(((develop(made.photograph(lens_points=points)) - reference) ** 2).mean()))

    coarse, fine = psnr(16), psnr(128)
    assert fine > coarse + 3
    assert fine > 38


def test_too_wide_a_blur_raises() -> None:
    with pytest.raises(LensError, match="margin"):
        scene(0, "selfie").photograph(0.3)


@pytest.mark.parametrize("wrong", [{"kind": "group"}, {"split": "dev"}, {"seed": -1}, {"size": 16}])
def test_impossible_scenes_raise(wrong: dict[str, object]) -> None:
    with pytest.raises(SceneError):
        portrait_scene(**{"seed": 0, "size": 64, **wrong})  # type: ignore[arg-type]


@given(values=st.lists(st.floats(0, 1e4), min_size=2, max_size=8))
def test_developing_is_monotone_and_bounded(values: list[float]) -> None:
    codes = develop(np.sort(np.array(values, np.float32)))
    assert (np.diff(codes) >= -1e-6).all()
    assert codes.min() >= 0
    assert codes.max() <= 1 + 1e-6


def test_glasses_show_the_eyes_unless_dark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear lenses change little between the frames, dark ones much; the matte does not notice either."""
    made = {}
    for kind in ("none", *glasses.KINDS):
        monkeypatch.setattr(scene_module, "compose", partial(_wearing, kind))
        made[kind] = portrait_scene(1, 200, "selfie")
    bare = made["none"]
    for kind in glasses.KINDS:
        change = np.abs(develop(made[kind].radiance) - develop(bare.radiance)).max(-1)
        rows, columns = np.nonzero(change > 0.01)
        assert 0.02 < rows.size / bare.mask.sum() < 0.12
        lens_like = np.percentile(change[rows, columns], 40)
        assert lens_like > 0.2 if kind == "dark" else lens_like < 0.1
        assert np.abs(made[kind].alpha - bare.alpha).max() < 0.2


def _wearing(kind: str, *args: np.random.Generator, **rest: bool) -> tuple:
    people, places, camera = compose(*args, **rest)
    return [replace(person, glasses=kind) for person in people], places, camera


def test_hair_is_closed_inside_its_outline() -> None:
    """Long hair, its strands apart, lets nothing show through away from its outline."""
    for seed in (3, 7):
        alpha = portrait_scene(seed, (400, 320), "selfie", "validation").alpha
        outline = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        inner = cv2.erode(outline, np.ones((21, 21), np.uint8), borderValue=1) > 0
        assert (alpha[inner] < 0.9).mean() < 0.002
