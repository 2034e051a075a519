# SPDX-License-Identifier: GPL-3.0-or-later
"""People: who they are, what they wear, how they stand, and the layers they become.

A person is traced twice, without and with the limbs that lie in front of the body; what the second picture
has nearer is a layer of its own, so that the lens can look behind an arm.  Hair adds a layer before and one
behind.  Every layer keeps its own relief, an inverse depth for each pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.casting import Person
from dofkit.scenes.glasses import wear
from dofkit.scenes.hair import below_hat, grow
from dofkit.scenes.layers import Relief, premultiply, shrink, spread
from dofkit.scenes.light import Light
from dofkit.scenes.solids import Array, Box
from dofkit.scenes.strands import draw, thicken
from dofkit.scenes.tracing import Look, Tracer


def portray(
    person: Person,
    camera: Camera,
    fine: int,
    place: NDArray[np.float64],
    light: Light,
    *,
    detailed: bool = True,
    smooth: bool = False,
) -> list[Relief]:
    """The layers of a person standing at a place of the world, far to near.

    Without `detailed` they are one layer without strands of hair: enough for somebody far away.  `smooth`
    antialiases the edges inside them.
    """
    view, axes = camera.scaled(fine), person.axes()
    tracer = Tracer(person.parts, view, place, axes)
    box = tracer.window()
    if box is None:
        return []
    window = _aligned(box, person, view, place, axes, fine)
    body = tracer.look(window, light, front=not detailed, smooth=detailed and smooth)
    looks = [_Flat(premultiply(body.colour, body.cover), 1 / body.depth, body.cover)]
    depth, cover = body.depth, body.cover
    ahead = tracer.window(front_only=True)
    if ahead is not None and detailed:
        limbs, depth, cover = _limbs(tracer, body, window, ahead, light, smooth)
        looks.append(limbs)
    if person.glasses != "none" and detailed:
        looks.append(_Flat(*wear(person.glasses, person.head, view, place, axes, light, window, depth, cover)))
    if person.style is not None and detailed:
        rng = np.random.default_rng(person.seed)
        size = person.head.half * view.focal_pixels / place[2]
        count = int(np.clip(16 * size, 260, 2600))
        paths, width, tint = grow(person.style, person.head, rng, count)
        if person.hat:
            shown = below_hat(paths)
            paths, width, tint = paths[shown], width[shown], tint[shown]
        before, behind = draw(
            paths,
            width,
            tint,
            person.head,
            view,
            place,
            axes,
            person.hair,
            light,
            window,
            depth,
            cover,
            person.style,
        )
        behind = thicken(before, behind, 0.11 * size)
        looks.insert(0, _Flat(behind.colour, behind.inverse, behind.weight))
        looks.append(_Flat(before.colour, before.inverse, before.weight))
    return [relief for look in looks if (relief := _relief(*look, window, fine)) is not None]


class _Flat(NamedTuple):
    """A layer on the fine window: premultiplied colour, inverse depth and where that is known."""

    colour: Array
    inverse: Array
    weight: Array


def _limbs(
    tracer: Tracer, body: Look, window: Box, ahead: Box, light: Light, smooth: bool
) -> tuple[_Flat, Array, Array]:
    """What the limbs in front add to a body, and depth and coverage of both together."""
    y, x = (
        slice(max(f.start, w.start), max(min(f.stop, w.stop), f.start, w.start))
        for f, w in zip(ahead, window, strict=True)
    )
    inner = (
        slice(y.start - window[0].start, y.stop - window[0].start),
        slice(x.start - window[1].start, x.stop - window[1].start),
    )
    whole, behind = tracer.look((y, x), light, front=True, smooth=smooth), body.cover[inner]
    nearer = np.clip((body.depth[inner] - whole.depth) / 0.02 - 0.8, 0, 1) * whole.cover
    # Along the body's own outline the limb fills what the body leaves open.
    share = np.maximum(nearer, (whole.cover - behind) / np.maximum(1 - behind, 1e-3)).clip(0, 1)
    colour, inverse, weight = np.zeros((*body.cover.shape, 4), np.float32), 1 / body.depth, np.zeros_like(body.cover)
    colour[inner], inverse[inner], weight[inner] = premultiply(whole.colour, share), 1 / whole.depth, share
    depth, cover = body.depth.copy(), body.cover.copy()
    depth[inner] = np.minimum(depth[inner], whole.depth)
    cover[inner] = np.maximum(behind, whole.cover)
    return _Flat(colour, inverse, weight), depth, cover


def _aligned(
    box: tuple[slice, slice],
    person: Person,
    view: Camera,
    place: NDArray[np.float64],
    axes: NDArray[np.float64],
    fine: int,
) -> tuple[slice, slice]:
    """The person's window with room for hair, on whole pixels of the canvas."""
    x, y, z = view.project(place + person.head.centre @ axes)
    reach = (2.2 if person.style is not None else 1.2) * person.head.half * view.focal_pixels / z
    low = np.array([min(box[0].start, y - reach), min(box[1].start, x - reach)])
    high = np.array([max(box[0].stop, y + 1.5 * reach), max(box[1].stop, x + reach)])
    low = np.maximum(np.floor(low / fine) * fine, 0).astype(int)
    high = np.minimum(np.ceil(high / fine) * fine, view.canvas).astype(int)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _relief(colour: Array, inverse: Array, weight: Array, window: tuple[slice, slice], fine: int) -> Relief | None:
    """Bring a layer to the canvas's resolution, cut to what it covers, its relief carried over the edges."""
    colour = shrink(colour, fine)
    total, mass = shrink(inverse * weight, fine), shrink(weight, fine)
    rows, columns = np.flatnonzero(colour[..., 3].max(1) > 1e-3), np.flatnonzero(colour[..., 3].max(0) > 1e-3)
    if not rows.size or not columns.size or mass.max() <= 0:
        return None
    y = slice(max(rows[0] - 3, 0), rows[-1] + 4)
    x = slice(max(columns[0] - 3, 0), columns[-1] + 4)
    relief = spread((total / np.maximum(mass, 1e-9))[y, x], np.minimum(mass[y, x], 1).astype(np.float32))
    return Relief(
        np.ascontiguousarray(colour[y, x]),
        window[0].start // fine + y.start,
        window[1].start // fine + x.start,
        relief,
    )
