# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way a figure or a table leaves a notebook: a small file with its provenance beside it.

    figures/fig03_guided_kernel.png     at most 150 KB, the same bytes for the same figure
    figures/fig03_guided_kernel.json    its notebook, profile and seed; hashes of sources and inputs; metrics

A name must stand in `figures/manifest.toml` with the notebook that makes it. The provenance holds nothing
that changes from run to run: no dates, times, host names or versions.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from dofkit.files import write_bytes
from dofkit.manifest import Item, ManifestError, figures_dir, read_manifest
from dofkit.provenance import plain, provenance

FILE_LIMIT = 150_000
"""Most bytes of a figure's file."""
FILE_DPI = 150.0
"""Resolution of a figure's file, where it fits."""
PAGE_LIMIT = 45_000
"""Most bytes of a picture inside a notebook: half a dozen of them stay below GitHub's patience."""
STYLE = Path(__file__).with_name("dofkit.mplstyle")
NOT_AVAILABLE = "not available here"


def use_style() -> None:
    """Draw in the kit's style, and keep the pictures inside a notebook small; call once, at the top.

    In a notebook each figure is shown as a PNG where that is small (lines), else as a JPEG (photographs).

    Examples
    --------
    >>> use_style()
    >>> plt.rcParams["image.cmap"]
    'viridis'
    """
    plt.style.use(STYLE)
    shell = _shell()
    if shell is not None:
        # The inline back end sets its own formatter once it is chosen: let it choose first.
        plt.switch_backend(plt.get_backend())
        for formatter in shell.display_formatter.formatters.values():
            formatter.pop(Figure, None)
        shell.display_formatter.mimebundle_formatter.for_type(Figure, page_picture)


def save_figure(
    figure: Figure,
    name: str,
    *,
    notebook: str,
    profile: str,
    seed: int,
    inputs: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> None:
    """Write a figure and its provenance into the figures folder.

    Parameters
    ----------
    figure
        The Matplotlib figure; it stays open, so that the notebook shows it.
    name
        Its name in `figures/manifest.toml`, for example ``"fig03_guided_kernel"``.
    notebook
        The notebook that calls, for example ``"05_blur_with_guidance"``: it must be the manifest's.
    profile, seed
        The parameters of the run; `profile` is quick, full or paper.
    inputs
        What went in, by name: arrays and `Path` objects are replaced by a hash of their content, texts and
        numbers are kept. Floating-point arrays are hashed at 4 decimals.
    metrics
        What was measured, by name: numbers, texts, or lists and dicts of them, kept to 6 significant digits.

    Raises
    ------
    ManifestError
        If the manifest does not know the name, or gives it to another notebook.
    ValueError
        If the profile is unknown, a metric is not finite, or the picture cannot be brought below 150 KB.
    """
    item = _entry(name, notebook, kinds=("figure", "kit"))
    origin = provenance(item, profile, seed, inputs, metrics)
    picture = encode_png(figure, limit=FILE_LIMIT)
    _write(figures_dir() / f"{name}.png", picture)
    _write(figures_dir() / f"{name}.json", _json(origin))


def save_table(
    rows: Sequence[Mapping[str, Any]],
    name: str,
    *,
    notebook: str,
    profile: str,
    seed: int,
    inputs: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> None:
    """Write a table as Markdown, with rows and provenance as JSON beside it, and show it in a notebook.

    Parameters
    ----------
    rows
        One mapping from column to value for each row, all with the same columns; None is a cell that is
        not available here. The other parameters are those of `save_figure`.

    Raises
    ------
    ManifestError, ValueError
        As `save_figure`; also if there are no rows, or two rows differ in their columns.
    """
    item = _entry(name, notebook, kinds=("table", "kit"))
    origin = provenance(item, profile, seed, inputs, metrics) | {"rows": plain(list(rows), "rows")}
    text = markdown_table(rows)
    _write(figures_dir() / f"{name}.md", f"{text}\n".encode())
    _write(figures_dir() / f"{name}.json", _json(origin))
    if _shell() is not None:
        from IPython.display import Markdown, display

        display(Markdown(text))


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table in Markdown: numbers to the right with 4 significant digits, None as "not available here".

    Examples
    --------
    >>> print(markdown_table([{"method": "ours", "IoU": 93.22}, {"method": "other", "IoU": None}]))
    | method | IoU |
    | :-- | --: |
    | ours | 93.22 |
    | other | not available here |
    """
    if not rows:
        raise ValueError("a table needs at least one row")
    columns = list(rows[0])
    if any(list(row) != columns for row in rows):
        raise ValueError(f"every row of a table needs the same columns: {', '.join(columns)}")
    numeric = [any(isinstance(row[column], (int, float, np.number)) for row in rows) for column in columns]
    lines = [columns, ["--:" if right else ":--" for right in numeric]]
    lines += [[_cell(row[column]) for column in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return NOT_AVAILABLE
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def encode_png(figure: Figure, *, limit: int, dpi: float = FILE_DPI) -> bytes:
    """The figure as a PNG of at most `limit` bytes: full colour, else 256 colours, else a lower resolution.

    Parameters
    ----------
    figure
        The Matplotlib figure.
    limit
        Most bytes.
    dpi
        Resolution to begin with; never less than half of it is used.

    Raises
    ------
    ValueError
        If even half the resolution is too large.
    """
    for scale in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5):
        picture = _draw(figure, dpi * scale)
        palette = picture.quantize(256, method=Image.Quantize.MEDIANCUT)
        dithered = picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)  # no bands in a blur
        for candidate in (picture, dithered):
            data = _compress(candidate, "PNG", optimize=True)
            if len(data) <= limit:
                return data
    raise ValueError(f"the figure takes more than {limit} bytes even at {dpi / 2:.0f} dpi: make it smaller")


def page_picture(figure: Figure) -> dict[str, bytes]:
    """The figure as a notebook shows it: a PNG if that is small, else a JPEG of falling quality.

    Returns
    -------
    dict
        One entry, from the type (``image/png`` or ``image/jpeg``) to the bytes.
    """
    picture = _draw(figure, figure.dpi)
    data = _compress(picture, "PNG", optimize=True)
    if len(data) <= PAGE_LIMIT:
        return {"image/png": data}
    for quality in (88, 80, 70, 60, 50):
        data = _compress(picture, "JPEG", quality=quality, subsampling=0)
        if len(data) <= PAGE_LIMIT:
            break
    return {"image/jpeg": data}


def _draw(figure: Figure, dpi: float) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return Image.open(buffer).convert("RGB")


def _compress(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _shell() -> Any:
    """The running notebook's shell, or None in a plain Python (or in a terminal's IPython)."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if hasattr(shell, "kernel") else None


def _entry(name: str, notebook: str, *, kinds: tuple[str, ...]) -> Item:
    items = read_manifest()
    if name not in items or items[name].kind not in kinds:
        known = ", ".join(item.name for item in items.values() if item.kind in kinds)
        raise ManifestError(f"figures/manifest.toml has no {' or '.join(kinds)} {name!r}; it has {known}")
    if items[name].notebook != notebook:
        raise ManifestError(f"by the manifest {name} comes from {items[name].notebook!r}, not {notebook!r}")
    return items[name]


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
