# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a page: as bytes, as a widget, and, where the extra `click` is installed, one that can be clicked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image


def encode(picture: np.ndarray) -> bytes:
    """A picture as the browser gets it: JPEG of quality 90 without colour subsampling.

    Parameters
    ----------
    picture
        (H, W, 3) or (H, W) floats in [0, 1].

    Raises
    ------
    ValueError
        If it is not (H, W, 3) or (H, W) finite floats.
    """
    array = np.asarray(picture)
    shaped = array.ndim in (2, 3) and array.shape[2:] in ((), (3,)) and array.size > 0
    if not shaped or array.dtype.kind != "f":
        raise ValueError(
            f"a picture is (H, W, 3) or (H, W) floats in [0, 1], not {array.shape} {array.dtype}"
        )
    if not np.isfinite(array).all():
        raise ValueError("the picture has values that are not finite")
    buffer = io.BytesIO()
    levels = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(levels).save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def plain_picture() -> ipywidgets.Image:
    """A picture to look at, at its own size where there is room: set its `value` to `encode(...)`."""
    return ipywidgets.Image(format="jpeg", layout=ipywidgets.Layout(max_width="100%", align_self="flex-start"))


def clickable_picture() -> ipywidgets.DOMWidget | None:
    """A picture to click at, or to move a ring over with the arrow keys; None where anywidget is not installed.

    Its traits are `value`, the bytes of a JPEG; `alt`, what it shows, for those who do not see it; and `point`, where
    it was clicked last, as [x, y] in shares of its width and height ([] before).
    """
    try:
        import anywidget
    except ImportError:
        return None
    import traitlets

    class ClickablePicture(anywidget.AnyWidget):
        _esm = Path(__file__).with_name("click.js").read_text(encoding="utf-8")
        _css = Path(__file__).with_name("click.css").read_text(encoding="utf-8")
        value = traitlets.Bytes(b"").tag(sync=True)
        alt = traitlets.Unicode("").tag(sync=True)
        point = traitlets.List(traitlets.Float(), []).tag(sync=True)

    picture: Any = ClickablePicture()
    return picture
