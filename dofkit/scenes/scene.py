# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait with exact truth: I = alpha F + (1 - alpha) B, depth for every pixel, a lens to look through.

`portrait_scene` draws a scene from a seed: a place, a light, a person, and a camera; `Scene` holds the sharp
picture, its depth and matte, the place without the person, and takes photographs with any lens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes import lens
from dofkit.scenes.camera import Camera
from dofkit.scenes.casting import Person, seat
from dofkit.scenes.composing import compose, foreground, passers_by
from dofkit.scenes.indoors import indoors
from dofkit.scenes.layers import Relief, Sheet, depth_of
from dofkit.scenes.light import Light
from dofkit.scenes.moods import draw_light
from dofkit.scenes.outdoors import outdoors
from dofkit.scenes.people import portray
from dofkit.scenes.sensor import expose
from dofkit.scenes.shadows import ground_shadow

Array = NDArray[np.floating]
VERSION = 1
SPLITS = {"train": 0, "validation": 1, "test": 2}
KINDS = ("selfie", "whole-body")
_SMOOTH = 200  # pixels of height from which edges inside a person are worth antialiasing


class SceneError(ValueError):
    """A scene was asked for that there is no such thing as."""


@dataclass(frozen=True)
class Scene:
    """A portrait and everything that is true about it.

    Attributes
    ----------
    image : (H, W, 3) float32
        What the camera saves: sRGB in [0, 1], noise and JPEG included.
    radiance, plate : (H, W, 3) float32
        Linear light, sharp everywhere, with and without the person (whose shadow stays on the ground).
    depth : (H, W) float32
        Metres along the optical axis, larger is farther.
    alpha, mask : (H, W) float32, bool
        The person's coverage, and where it exceeds one half.
    layers : tuple
        Far to near, on the canvas with its margin.
    portrait : slice
        Which of the layers are the person, or the people.
    focal_length, f_number, focus_distance : float
        The lens a photographer would choose here (metres): 50 mm f/1.8 or 85 mm f/1.4, on the person's eyes.
    camera, kind, night, mood, name :
        Geometry and what was drawn.
    """

    image: Array
    radiance: Array
    plate: Array
    depth: Array
    alpha: Array
    mask: NDArray[np.bool_]
    layers: tuple[Sheet | Relief, ...]
    portrait: slice
    camera: Camera
    focal_length: float
    f_number: float
    focus_distance: float
    kind: str
    night: bool
    mood: str
    name: str

    def photograph(
        self,
        f_number: float | None = None,
        focus_distance: float | None = None,
        *,
        focal_length: float | None = None,
        lens_points: int = 128,
    ) -> Array:
        """Linear radiance (H, W, 3) through a thin lens; the framing stays whatever the focal length.

        Parameters
        ----------
        f_number, focus_distance, focal_length : float, optional
            N, d_f and f (metres); by default the scene's own.
        lens_points : int
            Views averaged over the aperture.

        Raises
        ------
        dofkit.scenes.lens.LensError
            If the blur would be wider than the scene's margin.
        """
        return lens.photograph(
            self.layers,
            shape=self.camera.canvas,
            margin=self.camera.margin,
            focal_pixels=self.camera.focal_pixels,
            focus=self.focus_distance if focus_distance is None else focus_distance,
            focal_length=self.focal_length if focal_length is None else focal_length,
            f_number=self.f_number if f_number is None else f_number,
            lens_points=lens_points,
        )

    def ordinal_pairs(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`n` pairs of pixels with their order, as people label them in DIW.

        Returns
        -------
        points : (n, 2, 2) int64
            Row and column of i and of j.
        gamma : (n,) int64
            +1 where i is farther than j, -1 where it is nearer; |log(depth ratio)| is at least 0.03.
        """
        rows, columns = self.depth.shape
        logs, kept = np.log(self.depth), []
        for _ in range(200):
            points = np.stack([rng.integers(rows, size=(4 * n, 2)), rng.integers(columns, size=(4 * n, 2))], axis=-1)
            gap = logs[points[:, 0, 0], points[:, 0, 1]] - logs[points[:, 1, 0], points[:, 1, 1]]
            kept.append(points[np.abs(gap) > 0.03])
            if sum(len(part) for part in kept) >= n:
                break
        else:
            raise SceneError(f"{self.name}: fewer than {n} pairs of pixels differ in depth")
        points = np.concatenate(kept)[:n]
        farther = self.depth[points[:, 0, 0], points[:, 0, 1]] > self.depth[points[:, 1, 0], points[:, 1, 1]]
        return points, np.where(farther, 1, -1)


def portrait_scene(seed: int, size: int | tuple[int, int], kind: str = "selfie", split: str = "train") -> Scene:
    """Make scene number `seed` of a split.

    Parameters
    ----------
    seed : int
        Index in the split, 0 or more; the same index is the same scene at every size.
    size : int or (int, int)
        Side of a square, or height and width, pixels.
    kind : {"selfie", "whole-body"}
    split : {"train", "validation", "test"}
        Splits share no scene; a mood, a hair style and a floor appear in "test" alone.

    Returns
    -------
    Scene

    Raises
    ------
    SceneError
        For an unknown kind or split, a negative seed or a size below 32 pixels.

    Examples
    --------
    >>> scene = portrait_scene(0, 48, "whole-body")
    >>> scene.image.shape, scene.depth.shape, bool(0.02 < scene.mask.mean() < 0.6)
    ((48, 48, 3), (48, 48), True)
    """
    height, width = (size, size) if isinstance(size, int) else size
    if kind not in KINDS or split not in SPLITS or seed < 0:
        raise SceneError(
            f"no scene {seed!r} of kind {kind!r} in split {split!r}: kinds are {', '.join(KINDS)}, "
            f"splits {', '.join(SPLITS)}, seeds 0 and up"
        )
    if min(height, width) < 32:
        raise SceneError(f"a scene of {height} x {width} pixels is too small: 32 is the least")
    streams = np.random.default_rng([VERSION, SPLITS[split], seed, KINDS.index(kind)]).spawn(5)
    selfie, test = kind == "selfie", split == "test"
    fine = 1 if height >= 112 else 2
    indoor = bool(streams[0].random() < 0.38)
    light = draw_light(streams[0], indoor=indoor, test=test)
    people, places, camera = compose(streams[1], streams[2], height, width, selfie=selfie, test=test)
    stand = float(places[0][2])
    shadow = ground_shadow(people, places, light, hard=0.35 if indoor else 1.0)
    around: list[Sheet | Relief] = []
    if indoor:
        around += indoors(camera, fine, light, streams[3], stand, shadow, test)
    else:
        around += outdoors(camera, fine, light, streams[3], stand, shadow)
        around = passers_by(around, camera, fine, light, streams[3], stand)
    portrait = [
        layer
        for person, place in sorted(zip(people, places, strict=True), key=lambda pair: -pair[1][2])
        for layer in portray(person, camera, fine, place, light, smooth=height >= _SMOOTH)
    ]
    around += [
        layer
        for person, place in zip(people, places, strict=True)
        if person.joints.seated
        for layer in portray(seat(person), camera, fine, place, light)
    ]
    before = foreground(camera, fine, light, streams[3], stand, indoor)
    return _assemble(
        around, portrait, before, camera, people, places, light, streams[4], kind, f"{split}/{kind}/{seed}"
    )


def _assemble(
    around: list[Sheet | Relief],
    portrait: list[Relief],
    before: list[Sheet],
    camera: Camera,
    people: list[Person],
    places: list[NDArray[np.float64]],
    light: Light,
    rng: np.random.Generator,
    kind: str,
    name: str,
) -> Scene:
    layers = [*around, *portrait, *before]
    margin = camera.margin
    inside = (slice(margin, margin + camera.height), slice(margin, margin + camera.width))
    radiance, _ = lens.composite(layers, shape=camera.canvas)
    plate, _ = lens.composite([*around, *before], shape=camera.canvas)
    _, cover = lens.composite(portrait, shape=camera.canvas)
    if before:
        cover = cover * (1 - lens.composite(before, shape=camera.canvas)[1])
    alpha = np.clip(np.ascontiguousarray(cover[inside]), 0, 1)
    eyes = people[0].joints.head + people[0].joints.half_head * 0.6 * people[0].joints.head_turn[2]
    focus = float(camera.project(places[0] + eyes @ people[0].axes())[2])
    sharp = np.ascontiguousarray(radiance[inside])
    night = light.night
    image = expose(
        sharp,
        rng,
        noise=float(rng.uniform(0.003, 0.010) * (2.0 if night else 1.0)),
        quality=int(rng.integers(88, 98)),
    )
    return Scene(
        image,
        sharp,
        np.ascontiguousarray(plate[inside]),
        np.ascontiguousarray(depth_of(layers, camera.canvas)[inside]),
        alpha,
        alpha > 0.5,
        tuple(layers),
        slice(len(around), len(around) + len(portrait)),
        camera,
        camera.focal_length,
        1.8 if kind == "selfie" else 1.4,
        focus,
        kind,
        night,
        light.name,
        name,
    )
