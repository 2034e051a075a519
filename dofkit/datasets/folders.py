# SPDX-License-Identifier: GPL-3.0-or-later
"""Any folder of photographs with one of masks or depths: Baidu, P3M, PPM-100, Supervisely, AISegment, yours.

Photographs and masks are matched by stem: images/IMG_1.jpg goes with masks/IMG_1-profile.png if the suffix is
"-profile".
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dofkit.datasets.item import DataError, Dataset, Item, PathLike
from dofkit.maps import read_map
from dofkit.photo import PhotoError, read_photo

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
MAPS = (*IMAGES, ".npy")
KNOWN_SUFFIXES = ("", "_mask", "-mask", ".mask", "_seg", "-seg", "-profile", "_matte", "_depth", ".depth")
"""What data sets append to a photograph's stem; the error message names one that would have matched."""

Larger = Literal["farther", "nearer"]


class _Key(NamedTuple):
    """The files of one photograph; its text is the photograph's name."""

    image: Path
    mask: Path | None
    depth: Path | None

    def __str__(self) -> str:
        return self.image.stem


def folder(images: PathLike, masks: PathLike | None = None, *, suffix: str = "", threshold: float = 0.5,
           depths: PathLike | None = None, depth_suffix: str = "", larger_is: Larger = "farther") -> Dataset:
    """Pair the photographs of a folder, and those below it, with the masks and depths of the same stem.

    Parameters
    ----------
    images
        Folder of JPEG, PNG, WebP or TIFF files. Two of one stem are an error.
    masks
        Folder of masks, of any of these kinds or `.npy`; it may be `images` itself if `suffix` tells them
        apart. A cut-out's alpha channel is its mask (AISegment).
    suffix
        What a mask's stem adds to its photograph's, as `_mask`.
    threshold
        The person is where the mask, scaled to [0, 1], is above it: 0.5, or 0 for files of label numbers.
    depths, depth_suffix
        As for masks, for depth maps.
    larger_is
        What a larger number in a depth file means. "nearer" (a disparity) is turned over within its own
        range, so that the order is right; it does not become metres.

    Returns
    -------
    Dataset
        Of the photographs that have all that was asked for, by name; the others are counted.

    Raises
    ------
    DataError
        If a folder is missing, or nothing matches; on reading an item, if a file is broken or the sizes
        differ.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from dofkit.maps import write_map
    >>> from dofkit.photo import write_photo
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = write_photo(pathlib.Path(name, "a.png"), np.zeros((4, 5, 3), np.float32))
    ...     _ = write_map(pathlib.Path(name, "a_mask.png"), np.eye(4, 5), bits=8)
    ...     both = folder(name, name, suffix="_mask")
    ...     both[0].name, int(both[0].mask.sum())
    ('a', 4)
    """
    if larger_is not in ("farther", "nearer"):
        raise ValueError(f'larger_is must be "farther" or "nearer", not {larger_is!r}')
    wanted = {what: (where, end) for what, where, end
              in (("mask", masks, suffix), ("depth", depths, depth_suffix)) if where is not None}
    maps = {what: _by_stem(where, MAPS, end) for what, (where, end) in wanted.items()}
    taken = {path for files in maps.values() for path in files.values()}
    photos = _by_stem(images, IMAGES, leave_out=taken)
    names, counts = sorted(photos), {"photographs": len(photos)}
    for what, (where, end) in wanted.items():
        missing = [stem for stem in names if stem not in maps[what]]
        names = [stem for stem in names if stem in maps[what]]
        counts[f"without a {what}"] = len(missing)
        if not names:
            raise DataError(_nothing_matches(what, Path(images), Path(where), end))
    if not names:
        raise DataError(f"no photograph in {images}: looked for {', '.join(IMAGES)}")
    masks_of, depths_of = maps.get("mask", {}), maps.get("depth", {})
    keys = [_Key(photos[stem], masks_of.get(stem), depths_of.get(stem)) for stem in names]
    reader = partial(_read, threshold=threshold, larger_is=larger_is)
    return Dataset(f"folder {Path(images).name}", keys, reader, counts)


def read_image(path: Path) -> NDArray[np.float32]:
    """A photograph's (H, W, 3) pixels; DataError names the file if it is missing or broken."""
    try:
        return read_photo(path).image
    except PhotoError as error:
        raise DataError(f"{path}: {error}") from error


def read_mask(path: Path, *, threshold: float = 0.5) -> NDArray[np.bool_]:
    """A mask file as (H, W) bool: above `threshold` on the scale [0, 1].

    Raises
    ------
    DataError
        If the file is broken, or not empty and yet nowhere above the threshold (label numbers).
    """
    values = _read_map(path)
    person = values > threshold
    if values.max() > 0 and not person.any():
        raise DataError(f"{path}: no pixel is above {threshold:g}, the largest is {values.max():.3g}; "
                        "for a file of label numbers pass threshold=0")
    return person


def _read(key: _Key, *, threshold: float, larger_is: Larger) -> Item:
    image, mask, depth = key
    z = None if depth is None else _read_map(depth)
    if z is not None and larger_is == "nearer":
        z = z.max() + z.min() - z
    return Item(read_image(image), None if mask is None else read_mask(mask, threshold=threshold), z,
                name=image.stem)


def _read_map(path: Path) -> NDArray[np.float32]:
    try:
        values = read_map(path)
    except PhotoError as error:
        raise DataError(f"{path}: {error}") from error
    if not np.isfinite(values).all():
        raise DataError(f"{path}: holds values that are not finite")
    return values


def _by_stem(where: PathLike, kinds: tuple[str, ...], suffix: str = "",
             leave_out: Collection[Path] = ()) -> dict[str, Path]:
    base = Path(where).expanduser()
    if not base.is_dir():
        raise DataError(f"no folder {base}: looked there for {', '.join(kinds)}")
    files: dict[str, Path] = {}
    for path in sorted(base.rglob("*")):
        if path.suffix.lower() not in kinds or path.name.startswith(".") or path in leave_out:
            continue
        if not path.stem.endswith(suffix):
            continue
        stem = path.stem.removesuffix(suffix)
        if stem in files:
            raise DataError(f"two files of one name: {files[stem]} and {path}; keep one, or rename one")
        files[stem] = path
    return files


def _nothing_matches(what: str, images: Path, where: Path, suffix: str) -> str:
    photos, stems = ({path.stem for path in base.expanduser().rglob("*") if path.suffix.lower() in kinds}
                     for base, kinds in ((images, IMAGES), (where, MAPS)))
    better = [end for end in KNOWN_SUFFIXES if end != suffix and any(stem + end in stems for stem in photos)]
    option = "suffix" if what == "mask" else "depth_suffix"
    hint = f"; with {option}={better[0]!r} some would" if better else ""
    return (f"no {what} in {where} ({len(stems)} files) belongs to a photograph in {images} ({len(photos)} "
            f"files): looked for {min(photos, default='NAME') + suffix!r} with {', '.join(MAPS)}{hint}")
