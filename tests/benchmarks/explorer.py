# SPDX-License-Identifier: GPL-3.0-or-later
"""The explorer: seconds from a control's change to the bytes of the new picture, beside a full rendering."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch

from dofkit.exploring import Exploration
from dofkit.widgets import encode
from dofkit.widgets.photo import PhotoExplorer, explore_photo
from tests.benchmarks.renderer import subject
from tests.benchmarks.timing import alternate

CHANGES: dict[str, tuple[Any, Any]] = {
    "show": ("depth", "result"), "wipe": (50, 0), "aperture": (2.0, 1.0), "feather": (2.0, 0.8), "K": (10, 6),
    "lambda_": (20.0, 10.0), "mode": ("selfie", "whole-body"), "look": ("lens", "paper"), "focus_x": (80.0, 20.0),
}
"""Two values for each control, between which it goes to and fro; the second is the page's own."""


def run() -> list[dict[str, Any]]:
    """A row for each control, at 500x300 on one thread."""
    torch.set_num_threads(1)
    image = subject((500, 300))[0]
    explorer = explore_photo(image)
    explorer.controls["mode"].value = "whole-body"

    def full() -> bytes:
        return encode(Exploration(image).portrait(explorer.settings()).result)

    rows = []
    for name, values in CHANGES.items():
        times = alternate({"change": _mover(explorer, name, values), "full": full}, 6)
        ratio = times["full"]["wall_s"] / times["change"]["wall_s"]
        flat = {f"{who}_{unit}": value for who, units in times.items() for unit, value in units.items()}
        rows.append({"what": "explorer 500x300", "stage": name.rstrip("_"), **flat, "ratio": ratio})
        explorer.controls[name].value = values[1]  # the others are measured beside it, not on top of it
    return rows


def _mover(explorer: PhotoExplorer, name: str, values: tuple[Any, Any]) -> Callable[[], None]:
    """Moves a control to its other value; fails if the page then says that something did not work."""
    turn = itertools.cycle(values)

    def move() -> None:
        explorer.controls[name].value = next(turn)
        if "did not work" in explorer.status.value:
            raise RuntimeError(explorer.status.value)

    return move
