# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture files, defensively: headers are judged before pixels; a file is written whole or not at all.

`decode` turns JPEG, PNG, WebP and TIFF into upright numbers (no colour management: that is `dofkit.photo`),
and `write_bytes` puts a finished file in place. Pillow reads headers, 8-bit pixels and metadata; OpenCV reads
16-bit colour, of which Pillow keeps only the upper byte. Whatever goes wrong becomes one `PhotoError` that
says what to do.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dofkit.parts import fill, remove_abandoned, unfinished_file

MAX_PIXELS = 100_000_000
"""Pictures with more pixels are refused (100 megapixels hold 1.2 GB as float32 RGB)."""

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
"""Suffixes that can be written, and Pillow's name for each."""

_MAX_CLEAR = MAX_PIXELS * 3 // 4  # a fourth channel takes a third more memory
_ALWAYS_FINE = 16_000_000  # pixels; above, a file too small for its pixels is a lie or a bomb
_PIXELS_PER_BYTE = 2000  # a flat 8-bit PNG reaches 1000, a photograph 20
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_KNOWN_MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "I", "I;16", "F")


class PhotoError(ValueError):
    """A picture that cannot be used; the message says what was wrong with which file and what to do."""


@dataclass(frozen=True)
class Decoded:
    """The numbers of a picture file, upright.

    Attributes
    ----------
    values : ndarray, (H, W) or (H, W, C)
        uint8 or uint16; int32 or float32 for TIFFs that hold such numbers.
    mode : str
        What the channels are: "L", "LA", "RGB", "RGBA", "CMYK", "I" or "F".
    icc : bytes or None
        The colour profile embedded in the file.
    frames : int
        Pictures in the file (animations, pages); the first one was read.
    """

    values: np.ndarray
    mode: str
    icc: bytes | None
    frames: int


def decode(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Read the first picture of a JPEG, PNG, WebP or TIFF file, turned upright by its EXIF orientation.

    Parameters
    ----------
    path : path
        The file; told by its content, not by its name.
    max_pixels : int
        Refuse, from the header alone, a picture with more pixels (never more than Pillow's own 178 million).

    Raises
    ------
    PhotoError
        Missing, a folder, empty, cut short, damaged, not a picture, of an unsupported kind, too large.
    """
    file = check_input(path)
    try:
        # Pillow warns about odd metadata and from 89 megapixels on; the limit here is ours, and damage raises
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=sorted(set(FORMATS.values()))) as picture:
                return _decode(picture, file, max_pixels)
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        message = f"'{file}' is over the limit of {max_pixels:,} pixels: scale it down first"
        raise PhotoError(message) from error
    except Image.UnidentifiedImageError as error:
        raise PhotoError(_not_a_picture(file)) from error
    except Exception as error:  # parsers of damaged files raise nearly anything
        reason = str(error) or type(error).__name__
        raise PhotoError(f"'{file}' is damaged or cut short and cannot be read ({reason}): "
                         "copy or export it once more") from error


def check_input(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a Path to a regular, readable, non-empty file, or raise `PhotoError`.

    >>> check_input("no such photo.jpg")
    Traceback (most recent call last):
    dofkit.files.PhotoError: there is no file 'no such photo.jpg': check the name and the folder
    """
    file = Path(path)
    if "\0" in str(file):
        raise PhotoError(f"there is no file {str(file)!r}: a name holds no NUL character")
    try:
        if file.is_dir():
            raise PhotoError(f"'{file}' is a folder: name one picture file in it")
        if not file.exists():
            raise PhotoError(f"there is no file '{file}': check the name and the folder")
        if not file.is_file():
            raise PhotoError(f"'{file}' is not a regular file: name a picture file")
        with file.open("rb") as handle:
            if not handle.read(1):
                raise PhotoError(f"'{file}' is empty (0 bytes): copy or export it once more")
    except OSError as error:
        reason = error.strerror or error
        raise PhotoError(f"cannot open '{file}' ({reason}): check its name and permissions") from error
    return file


def check_output(path: str | os.PathLike[str], *, force: bool = False,
                 suffixes: tuple[str, ...] = tuple(FORMATS)) -> Path:
    """Return `path` as a Path that can be written, or raise `PhotoError`; call it before a long computation.

    Raises
    ------
    PhotoError
        Unsupported suffix, folder missing or not writable, a folder of that name, or, without `force`, a file
        that is there already.
    """
    file = Path(path)
    if "\0" in str(file):
        raise PhotoError(f"cannot write {str(file)!r}: a name holds no NUL character")
    if file.suffix.lower() not in suffixes:
        given = f"suffix '{file.suffix}' is not supported" if file.suffix else "the name has no suffix"
        raise PhotoError(f"cannot write '{file}': {given}; use one of {', '.join(suffixes)}")
    try:
        if file.is_dir():
            raise PhotoError(f"cannot write '{file}': it is a folder; name a file")
        if not file.parent.is_dir():
            raise PhotoError(f"cannot write '{file}': there is no folder '{file.parent}'; make it first")
        if (file.exists() or file.is_symlink()) and not force:
            raise PhotoError(f"'{file}' exists already: choose another name, or overwrite it with force "
                             "(--force on the command line)")
        if not os.access(file.parent, os.W_OK | os.X_OK):
            raise PhotoError(f"cannot write '{file}': folder '{file.parent}' is read-only; choose another")
    except OSError as error:
        raise PhotoError(f"cannot write '{file}' ({error.strerror or error}): choose another name") from error
    return file


def write_bytes(file: Path, data: bytes) -> None:
    """Put `data` at `file` in one step: a reader sees the old file or the new one, never a half of it."""
    write_together({file: data})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Put several files in place: all are written to disk before the first one appears under its name.

    Written to hidden neighbours (`dofkit.parts`), synced and moved over; removed on any failure. What a killed
    process was writing under the same names is removed as well.
    """
    with contextlib.ExitStack() as undo:
        parts = []
        for file, data in contents.items():
            target = file.resolve() if file.is_symlink() else file
            remove_abandoned(target.parent, target.name)
            with _naming(file):
                part, handle = undo.enter_context(unfinished_file(target))
                fill(handle, data)
            parts.append((file, part, target))
        for file, part, target in parts:
            with _naming(file):
                part.replace(target)


@contextlib.contextmanager
def _naming(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PhotoError(f"cannot write '{file}' ({error.strerror or error}): "
                         "free some space or choose another folder") from error


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's decoders from printing to the terminal; what matters is raised."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _decode(picture: Image.Image, file: Path, max_pixels: int) -> Decoded:
    width, height = picture.size
    if width * height == 0:
        raise PhotoError(f"'{file}' has 0 pixels ({width}x{height}): export it once more")
    if width * height > max_pixels:
        raise PhotoError(f"'{file}' has {width}x{height} = {width * height:,} pixels, over the limit of "
                         f"{max_pixels:,}: scale it down first")
    clear = "transparency" in picture.info or picture.mode.upper().endswith("A")
    if clear and width * height > _MAX_CLEAR:
        raise PhotoError(f"'{file}' has {width * height:,} pixels with opacity, over the limit of {_MAX_CLEAR:,}: "
                         "scale it down first, or save it without opacity")
    size = file.stat().st_size
    if width * height > max(_ALWAYS_FINE, _PIXELS_PER_BYTE * size):
        raise PhotoError(f"'{file}' claims {width}x{height} pixels in {size:,} bytes: it is damaged or no photograph; "
                         "export it once more")
    deep = _is_deep_colour(picture, file)
    # the further frames of an MPO are a phone's previews
    frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    icc = picture.info.get("icc_profile")
    picture.load()  # raises when the file is cut short; OpenCV would return half a picture
    if deep:
        values = _decode_deep(file)
        mode = {2: "L", 3: "RGB", 4: "RGBA"}[2 if values.ndim == 2 else values.shape[2]]
    else:
        plain = _plain(picture, file)
        values, mode = np.asarray(plain), plain.mode
    if mode == "I;16":
        values, mode = values.astype(np.uint16), "L"
    # Pillow turns TIFFs itself and removes the tag, and OpenCV turns them too: only the others are left to do
    turned = upright(values, picture.getexif().get(_ORIENTATION, 1) if picture.format != "TIFF" else 1)
    return Decoded(turned, mode, icc if isinstance(icc, bytes) and icc else None, frames)


def _is_deep_colour(picture: Image.Image, file: Path) -> bool:
    """True for 16-bit pictures of several channels, of which Pillow would keep 8 bits."""
    if picture.mode not in ("RGB", "RGBA", "LA"):
        return False
    if picture.format == "PNG":
        with file.open("rb") as handle:
            return handle.read(25)[24] == 16  # after signature (8), chunk head (8) and size (8)
    if picture.format == "TIFF":
        return max(picture.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8  # type: ignore[attr-defined]
    return False


def _decode_deep(file: Path) -> np.ndarray:
    data = file.read_bytes()
    if data.startswith(b"\x89PNG"):
        data = _pixels_only(data)
    with quiet_opencv():
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.shape[2:] not in ((), (3,), (4,)):
        raise PhotoError(f"'{file}' is a kind of 16-bit picture that is not supported: export it as RGB PNG")
    if values.ndim == 2:
        return values
    return cv2.cvtColor(values, cv2.COLOR_BGR2RGB if values.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _pixels_only(png: bytes) -> bytes:
    """The chunks of a PNG that make its pixels: OpenCV makes room for whatever length the others claim."""
    kept, at = [png[:8]], 8
    while at < len(png) - 8:
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")
        if end > len(png):
            raise ValueError("a chunk ends after the file")
        if png[at + 4 : at + 8] in (b"IHDR", b"tRNS", b"IDAT", b"IEND"):
            kept.append(png[at:end])
        at = end
    return b"".join(kept)


def _plain(picture: Image.Image, file: Path) -> Image.Image:
    """Palettes, bilevel, premultiplied and keyed-out colours as plain channels."""
    if picture.mode in ("P", "PA"):
        clear = picture.mode == "PA" or "transparency" in picture.info
        return picture.convert("RGBA" if clear else "RGB")
    if picture.mode in ("L", "RGB", "1") and "transparency" in picture.info:
        return picture.convert("LA" if picture.mode != "RGB" else "RGBA")
    simple = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "I;16B": "I;16"}
    plain = picture.convert(simple[picture.mode]) if picture.mode in simple else picture
    if plain.mode not in _KNOWN_MODES:
        raise PhotoError(f"'{file}' holds pixels of kind '{plain.mode}', not supported: export it as RGB PNG")
    return plain


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror pixels, (H, W) or (H, W, C), as EXIF orientation 1..8 asks; others do nothing.

    >>> upright(np.array([[1, 2], [3, 4]]), 6)
    array([[3, 1],
           [4, 2]])
    """
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def _not_a_picture(file: Path) -> str:
    with file.open("rb") as handle:
        head = handle.read(32)
    kinds = {b"GIF8": "a GIF", b"BM": "a BMP", b"%PDF": "a PDF", b"\x00\x00\x01\x00": "an icon"}
    kind = next((name for magic, name in kinds.items() if head.startswith(magic)), "")
    if head[4:8] == b"ftyp":
        kind = "a HEIF or AVIF picture or a video"
    if kind:
        return f"'{file}' is {kind}, which is not supported: export it as JPEG, PNG, WebP or TIFF"
    return f"'{file}' is not a picture, or is damaged: JPEG, PNG, WebP and TIFF are supported"


def encode_pillow(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file of Pillow's format `kind`."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
