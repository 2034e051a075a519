# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours that go together: skins, hair, outfits and rooms, as sRGB codes, handed out as linear triples."""

from __future__ import annotations

import numpy as np

from dofkit.scenes.layers import LINEAR

Colour = tuple[float, float, float]


def srgb(code: str) -> Colour:
    """'#rrggbb' without the '#' to sRGB in [0, 1]."""
    return tuple(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))  # type: ignore[return-value]


def linear(code: str) -> Colour:
    """A colour code to a linear triple.

    Examples
    --------
    >>> linear("ffffff")
    (1.0, 1.0, 1.0)
    """
    return tuple(float(LINEAR[int(code[i : i + 2], 16)]) for i in (0, 2, 4))  # type: ignore[return-value]


SKINS = ("f3d3bd", "ecc0a0", "e3ad88", "d49c74", "c08660", "a66d4a", "8a573a", "7a4b32", "68402d")
LIPS = ("cf7b73", "c66d66", "b95f58", "ab5a4e", "9c5148", "864239", "743932", "603029", "4e2822")
HAIRS = (
    "15100e",
    "1d1411",
    "2c1c14",
    "402818",
    "5a3a22",
    "7a4f2a",
    "a6763f",
    "cfa566",
    "8c3f1e",
    "6b6a69",
    "b9b5ae",
)
EYES = ("3b2415", "4b2e1a", "5d4022", "6b7a4a", "5f7f8c", "6d8fb0", "7a8a80")

# top, second colour of its pattern, layer worn over it, trousers or skirt, shoes, accent
OUTFITS = (
    ("efe6d8", "2f4a6b", "2b3a55", "33415c", "8a5a3b", "c8553d"),
    ("d9694a", "f2e3cf", "5b6b57", "3d4a5c", "efe8dd", "2e4057"),
    ("7a9e87", "f4efe2", "3f4f46", "c9b79c", "6b4a35", "e0a458"),
    ("27476e", "e9e4d8", "b8a88a", "d8cbb3", "5a3d2b", "d1495b"),
    ("e8c26a", "fbf3df", "4a5a6a", "3b4b63", "f0ece4", "7d4f50"),
    ("8c4a5b", "e8d5c4", "54404a", "2f3440", "3b2a26", "d9a066"),
    ("f4f1ea", "9fb3c8", "6e7f80", "5c6f82", "ded6c8", "b5523b"),
    ("4f6d7a", "dde2e0", "c0a080", "2c3539", "4b3621", "e8b04a"),
    ("c98b9b", "f7ebe4", "8a7f8d", "4d5a78", "f3ede6", "5b7553"),
    ("5a7d5a", "e6dcc3", "3a3f32", "7a6a55", "2e2823", "d97b3f"),
    ("b7c4cf", "3c4f65", "39424e", "2a3342", "a0705a", "d0655a"),
    ("2d2f36", "d8d2c6", "6a5d52", "8b94a0", "f5f2ec", "c44536"),
    ("d7a98c", "f5e8db", "7b5e57", "5f6b5f", "4a332a", "3c6e71"),
    ("9a86b4", "efe9f4", "5c5470", "3f4560", "e9e4dc", "e3b23c"),
)
BRIGHT = ("c8553d", "e0a458", "d1495b", "3c6e71", "5b7553", "2e4057", "b5523b", "e3b23c", "7d4f50", "4f6d7a")
BOOKS = (
    "8c4a3a",
    "c08457",
    "d8c3a5",
    "4b5d67",
    "2f3e46",
    "7a8b6f",
    "a44a3f",
    "e0c9a6",
    "596475",
    "3d405b",
    "81735c",
    "b56b52",
    "6b7f86",
    "d4b483",
    "40515e",
)
WALLS = ("e9e1d4", "d8dfe0", "c9d2c4", "e4cfc0", "b9c4c9", "8fa39a", "6f8690", "d9b99b", "a8776a", "5a6b74")
LEAVES = ("4f7a3a", "5d8a45", "3f6b35", "6f9a4e", "7fa552", "55803f")
AUTUMN = ("b5651d", "c9822b", "a3501f", "d19a3b", "8f3f22", "b8862f")


def pick(rng: np.random.Generator, codes: tuple[str, ...]) -> str:
    """One of some codes."""
    return codes[int(rng.integers(len(codes)))]


def dim(colour: Colour, factor: float) -> Colour:
    """A linear colour, darker or brighter."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
