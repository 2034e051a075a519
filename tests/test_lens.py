# SPDX-License-Identifier: GPL-3.0-or-later
"""The thin lens against closed forms: what it blurs, by how much, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dofkit.scenes import lens
from dofkit.scenes.camera import Camera
from dofkit.scenes.grounds import surface
from dofkit.scenes.layers import Relief, Sheet
from dofkit.scenes.lens import LensError

LENS = {"focal_length": 0.050, "f_number": 1.8}
CAMERA = Camera(160, 120, 24, 0.100, eye=1.4)


def flat(camera: Camera, colour: np.ndarray, depth: float, cover: np.ndarray | float = 1.0) -> Sheet:
    """A canvas-filling upright sheet at a depth."""
    full = np.empty((*camera.canvas, 4), np.float32)
    full[..., 3] = cover
    full[..., :3] = np.asarray(colour, np.float32) * full[..., 3:]
    return Sheet(full, 0, 0, camera.inverse_depth((0, 0, 1), depth))


def shoot(layers: list, focus: float, camera: Camera = CAMERA, points: int = 256, **changed: float) -> np.ndarray:
    return lens.photograph(
        layers,
        shape=camera.canvas,
        margin=camera.margin,
        focal_pixels=camera.focal_pixels,
        focus=focus,
        lens_points=points,
        **{**LENS, **changed},
    )


def spot(camera: Camera, depth: float) -> Sheet:
    """One bright pixel in the middle, on black."""
    colour = np.zeros((*camera.canvas, 3), np.float32)
    colour[camera.canvas[0] // 2, camera.canvas[1] // 2] = 100.0
    return flat(camera, colour, depth)


def diameter(picture: np.ndarray) -> float:
    """Diameter of a disc from its second moment (D^2 / 16 per axis), less the pixel's own bilinear spread."""
    weight = picture[..., 0] / picture[..., 0].sum()
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    variance = sum(float((weight * (axis - (weight * axis).sum()) ** 2).sum()) for axis in (x, y))
    return 4 * np.sqrt(variance / 2 - 1 / 6)


@pytest.mark.parametrize("distance", [0.6, 0.7, 2.0, 4.0, 30.0])
def test_point_light_has_the_diameter_of_the_formula(distance: float) -> None:
    focus = 1.0
    picture = shoot([spot(CAMERA, distance)], focus, points=512)
    on_sensor = lens.circle_of_confusion(distance, focus=focus, **LENS)
    image_distance = LENS["focal_length"] * focus / (focus - LENS["focal_length"])
    expected = on_sensor * CAMERA.focal_pixels / image_distance
    assert diameter(picture) == pytest.approx(expected, rel=0.03, abs=0.06)
    assert lens.blur_diameter(distance, focus=focus, focal_pixels=CAMERA.focal_pixels, **LENS) == pytest.approx(
        expected
    )


@given(
    focus=st.floats(0.5, 5),
    distance=st.floats(0.3, 100),
    f_number=st.floats(1, 16),
    focal=st.floats(0.02, 0.1),
)
def test_circle_of_confusion_obeys_its_laws(focus: float, distance: float, f_number: float, focal: float) -> None:
    size = lens.circle_of_confusion(distance, focus=focus, focal_length=focal, f_number=f_number)
    half = lens.circle_of_confusion(distance, focus=focus, focal_length=focal, f_number=2 * f_number)
    assert size == pytest.approx(2 * half)
    assert size >= 0
    assert lens.circle_of_confusion(focus, focus=focus, focal_length=focal, f_number=f_number) == 0
    limit = (focal / f_number) * focal / (focus - focal)
    assert distance < focus or size <= limit * (1 + 1e-9)


@pytest.mark.parametrize("distance", [0.8, 2.0, 20.0])
def test_light_is_conserved(distance: float) -> None:
    picture = shoot([spot(CAMERA, distance)], 1.0)
    assert picture[..., 0].sum() == pytest.approx(100.0, rel=1e-3)


@settings(max_examples=12, deadline=None)
@given(depth=st.floats(0.8, 50), focus=st.floats(0.8, 5), value=st.floats(0.01, 50))
def test_constant_wall_stays_constant(depth: float, focus: float, value: float) -> None:
    picture = shoot([flat(CAMERA, np.full(3, value), depth)], focus, points=16)
    np.testing.assert_allclose(picture, value, rtol=3e-6)


def test_focus_plane_is_the_pinhole_view() -> None:
    rng = np.random.default_rng(0)
    sheet = flat(CAMERA, rng.random((*CAMERA.canvas, 3)), 2.0)
    sharp, _ = lens.composite([sheet], shape=CAMERA.canvas)
    picture = shoot([sheet], 2.0, points=32)
    m = CAMERA.margin
    np.testing.assert_allclose(picture, sharp[m:-m, m:-m], atol=2e-5)


def test_blurred_edge_is_the_integral_of_a_disc() -> None:
    columns = np.arange(CAMERA.canvas[1])
    edge = CAMERA.canvas[1] // 2
    cover = np.broadcast_to((columns < edge).astype(np.float32), CAMERA.canvas)
    layers = [flat(CAMERA, np.ones(3), 3.0), flat(CAMERA, np.zeros(3), 1.0, cover)]
    profile = shoot(layers, 3.0, points=1024, f_number=1.2)[CAMERA.height // 2, :, 0]
    radius = 0.5 * lens.blur_diameter(1.0, focus=3.0, focal_pixels=CAMERA.focal_pixels, focal_length=0.05, f_number=1.2)
    t = np.clip((np.arange(CAMERA.width) + CAMERA.margin - (edge - 0.5)) / radius, -1, 1)
    expected = 1 - (np.arccos(t) - t * np.sqrt(1 - t**2)) / np.pi
    assert radius > 5
    np.testing.assert_allclose(profile, expected, atol=0.012)


def test_lens_looks_behind_a_near_edge() -> None:
    """A light hidden from the pinhole behind an opaque edge is seen by part of the lens."""
    lamp = np.zeros((*CAMERA.canvas, 3), np.float32)
    middle = CAMERA.canvas[1] // 2
    lamp[:, middle - 3] = 50.0
    cover = np.broadcast_to((np.arange(CAMERA.canvas[1]) < middle).astype(np.float32), CAMERA.canvas)
    layers = [flat(CAMERA, lamp, 6.0), flat(CAMERA, np.zeros(3), 1.0, cover)]
    m = CAMERA.margin
    assert lens.composite(layers, shape=CAMERA.canvas)[0][m:-m, m:-m].max() == 0
    assert shoot(layers, 1.0)[..., 0].max() > 1.0


@pytest.mark.parametrize("roll", [0.0, 0.05])
def test_ground_warp_equals_a_moved_eye(roll: float) -> None:
    """One affine warp of the ground is the view of an eye moved by (u, v)."""
    camera = Camera(96, 80, 20, 0.050, eye=1.4, pitch=0.12, roll=roll)

    def texture(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (0.5 + 0.25 * np.sin(3 * x) + 0.2 * np.cos(1.5 * z)).astype(np.float32)

    sheet = surface(
        camera,
        1,
        normal=(0, 1, 0),
        offset=0.0,
        axes=((1, 0, 0), (0, 0, 1)),
        reach=(0.3, 12.0),
        light=np.ones(3),
        paint=lambda x, z, pixel: np.repeat(texture(x, z)[..., None], 3, -1),
    )
    assert sheet is not None
    focus, (u, v) = 1 / 2.5, (0.012, -0.009)
    shift = (camera.focal_pixels * u, camera.focal_pixels * v)
    view, top, left = sheet.seen_from(shift, focus)
    y, x = np.mgrid[:120, 10:100]
    y, x = y + 12, x
    right, down, forward = camera.axes
    eye = camera.position + u * right + v * down
    a = (x - shift[0] * focus - camera.centre[0]) / camera.focal_pixels
    b = (y - shift[1] * focus - camera.centre[1]) / camera.focal_pixels
    rays = a[..., None] * right + b[..., None] * down + forward
    depth = -eye[1] / rays[..., 1]
    spot_x, spot_z = eye[0] + depth * rays[..., 0], eye[2] + depth * rays[..., 2]
    inside = (depth > 1.0) & (depth < 8)
    got = view[np.clip(y - top, 0, view.shape[0] - 1), np.clip(x - left, 0, view.shape[1] - 1), 0]
    assert inside.sum() > 500
    np.testing.assert_allclose(got[inside], texture(spot_x, spot_z)[inside], atol=0.006)


def test_flat_relief_is_a_sheet() -> None:
    rng = np.random.default_rng(1)
    smooth = rng.random((12, 10, 4)).astype(np.float32)
    import cv2

    colour = cv2.resize(smooth, CAMERA.canvas[::-1], interpolation=cv2.INTER_CUBIC)
    sheet = Sheet(colour, 0, 0, CAMERA.inverse_depth((0.2, 0, 1), 2.0))
    relief = Relief(colour, 0, 0, sheet.inverse_depth())
    one, top, left = sheet.seen_from((6.0, -4.0), 0.9)
    two, top2, left2 = relief.seen_from((6.0, -4.0), 0.9)
    m = CAMERA.margin
    rows, columns = CAMERA.height, CAMERA.width
    np.testing.assert_allclose(
        one[m - top : m - top + rows, m - left : m - left + columns],
        two[m - top2 : m - top2 + rows, m - left2 : m - left2 + columns],
        atol=0.01,
    )


def test_blur_beyond_the_margin_raises() -> None:
    with pytest.raises(LensError, match="beyond the scene's margin"):
        shoot([spot(CAMERA, 50.0)], 0.3, f_number=0.5)


@pytest.mark.parametrize("changed", [{"focus": 0.04}, {"f_number": 0.0}, {"focal_length": -0.05}, {"points": 0}])
def test_impossible_lenses_raise(changed: dict[str, Any]) -> None:
    with pytest.raises(LensError):
        shoot([spot(CAMERA, 2.0)], **{"focus": 1.0, **changed})


@given(count=st.integers(2, 600))
def test_aperture_points_fill_the_disc(count: int) -> None:
    points = lens.aperture_points(count)
    assert np.hypot(*points.T).max() <= 1 + 1e-12
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-12)
    if count >= 64:
        np.testing.assert_allclose((points**2).mean(0), 0.25, atol=0.02)
