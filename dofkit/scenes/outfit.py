# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person wears."""

from __future__ import annotations

from dataclasses import dataclass

from dofkit.scenes.palettes import Colour


@dataclass(frozen=True)
class Outfit:
    """What a person wears; colours are linear."""

    top: str
    bottom: str
    over: str
    pattern: str
    sleeve: float
    neckline: float
    colours: tuple[Colour, ...]  # top, its second colour, over, bottom, shoes, accent
    scarf: bool = False
    boots: bool = False
