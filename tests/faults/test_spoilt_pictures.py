# SPDX-License-Identifier: GPL-3.0-or-later
"""Spoilt photographs, masks, depths and colour profiles end in a picture or in one PhotoError."""

from __future__ import annotations

import io
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dofkit.files import PhotoError
from dofkit.maps import read_map
from dofkit.photo import encode_photo, read_photo
from tests.faults.damage import damaged, fuzz, outcome

NUMBERS = np.random.default_rng(3).integers(0, 256, (24, 32, 4), dtype=np.uint8)
GREY = NUMBERS[..., 0]


def profile(kind: str) -> bytes:
    """A colour profile: sRGB by LittleCMS with another red, so that there is something to convert."""
    if kind == "table":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    entries = [132 + 12 * i for i in range(data[131])]  # four letters, where, how long
    at = next(at for at in entries if data[at : at + 4] == b"rXYZ")
    start = int.from_bytes(data[at + 4 : at + 8], "big")
    return data[: start + 8] + (0x9000).to_bytes(4, "big") + data[start + 12 :]


def saved(values, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind, **options)
    return buffer.getvalue()


def with_profile(png: bytes, icc: bytes) -> bytes:
    """A PNG with a colour profile in it, behind its header."""
    body = b"iCCPx\0\0" + zlib.compress(icc)
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:33] + chunk + png[33:]


def exif():
    found = Image.Exif()
    found[0x0112], found[0x010F] = 6, "camera"
    return found.tobytes()


def deep(suffix, channels):
    values = NUMBERS[..., :channels].astype(np.uint16) * 257
    return cv2.imencode(suffix, values[..., 0] if channels == 1 else values)[1].tobytes()


def npy(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


RGB = NUMBERS[..., :3]
FRAMES = [Image.fromarray(NUMBERS[::-1, :, :3])]
GOOD = {
    "JPEG": saved(RGB, "JPEG", exif=exif(), icc_profile=profile("matrix")),
    "JPEG progressive": saved(RGB, "JPEG", progressive=True, quality=60),
    "JPEG grey": saved(GREY, "JPEG"),
    "PNG 8": saved(RGB, "PNG", exif=exif()),
    "PNG alpha": saved(NUMBERS, "PNG"),
    "PNG palette": saved(np.asarray(Image.fromarray(RGB).quantize(8)), "PNG", transparency=0),
    "PNG 16": with_profile(deep(".png", 3), profile("matrix")),
    "PNG 16 alpha": deep(".png", 4),
    "PNG 16 grey": deep(".png", 1),
    "PNG animated": saved(RGB, "PNG", save_all=True, append_images=FRAMES),
    "WebP": saved(RGB, "WEBP", exif=exif()),
    "WebP lossless": saved(NUMBERS, "WEBP", lossless=True),
    "WebP animated": saved(RGB, "WEBP", save_all=True, append_images=FRAMES),
    "TIFF 8": saved(RGB, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF LZW": saved(RGB, "TIFF", compression="tiff_lzw"),
    "TIFF pages": saved(RGB, "TIFF", save_all=True, append_images=FRAMES),
    "TIFF 16": deep(".tiff", 3),
    "TIFF float": saved(GREY.astype(np.float32), "TIFF"),
}
SUFFIXES = (".jpg", ".png", ".webp", ".tif", ".txt", "")


@pytest.mark.parametrize("kind", GOOD)
def test_the_files_are_good_before_they_are_spoilt(tmp_path, kind):
    file = tmp_path / "a"
    file.write_bytes(GOOD[kind])
    assert (read_map(file) if kind == "TIFF float" else read_photo(file).image).shape[:2] in ((24, 32), (32, 24))


@fuzz(110)
@given(st.data())
def test_a_spoilt_photograph(tmp_path, data):
    kind = data.draw(st.sampled_from(sorted(GOOD)))
    other = GOOD[data.draw(st.sampled_from(sorted(GOOD)))]
    file = tmp_path / f"a{data.draw(st.sampled_from(SUFFIXES))}"
    file.write_bytes(data.draw(damaged(GOOD[kind], other)))
    photo = outcome(f"photograph, {kind}", lambda: read_photo(file, max_pixels=4_000_000), PhotoError)
    if isinstance(photo, PhotoError):
        assert str(file) in str(photo)
        return
    assert photo.image.dtype == np.float32 and photo.image.ndim == 3
    assert photo.image.min() >= 0 and photo.image.max() <= 1
    if photo.image.size < 100_000:
        encode_photo(tmp_path / "b.png", photo.image, bits=photo.bits, opacity=photo.opacity)


@fuzz(40)
@given(st.data())
def test_a_spoilt_colour_profile(tmp_path, data):
    icc = data.draw(damaged(profile(data.draw(st.sampled_from(("matrix", "table")))), profile("matrix")))
    pictures = {"PNG 16": lambda: with_profile(deep(".png", 3), icc),
                "PNG 16 grey": lambda: with_profile(deep(".png", 1), icc),
                "PNG 8": lambda: with_profile(saved(RGB, "PNG"), icc),
                "JPEG CMYK": lambda: saved_cmyk(icc), "JPEG": lambda: saved(RGB, "JPEG", icc_profile=icc)}
    file = tmp_path / "a"
    file.write_bytes(pictures[data.draw(st.sampled_from(sorted(pictures)))]())
    photo = outcome("colour profile", lambda: read_photo(file), PhotoError)
    assert isinstance(photo, PhotoError) or (photo.image.min() >= 0 and photo.image.max() <= 1)


def saved_cmyk(icc):
    buffer = io.BytesIO()
    Image.fromarray(NUMBERS, "CMYK").save(buffer, "JPEG", icc_profile=icc)
    return buffer.getvalue()


def curve(kind: int, *numbers: float) -> bytes:
    return b"para" + bytes(4) + kind.to_bytes(2, "big") + bytes(2) + b"".join(
        (round(number * 65536) % 2**32).to_bytes(4, "big") for number in numbers)


@pytest.mark.parametrize("tag", [curve(9, 1, 1, 1), curve(3, -30, 0, 0, 1, 0), curve(1, 2.4, 0, 1),
                                 b"curv" + b"\xff" * 4, b"text", b"curv\0\0\0\0\0\0\0\1\0\0"])
def test_a_profile_with_an_impossible_curve_is_ignored_and_said_to_be(tmp_path, tag):
    good = profile("matrix")
    count = good[131]
    table = bytearray(good[:132 + 12 * count])
    for i in range(count):
        if good[132 + 12 * i : 136 + 12 * i].endswith(b"TRC"):
            table[136 + 12 * i : 144 + 12 * i] = len(good).to_bytes(4, "big") + len(tag).to_bytes(4, "big")
    icc = bytearray(bytes(table) + good[len(table):] + tag)
    icc[:4] = len(icc).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(with_profile(deep(".png", 3), bytes(icc)))
    photo = read_photo(tmp_path / "a.png")
    assert np.array_equal(photo.image, np.float32(cv2.cvtColor(RGB, cv2.COLOR_BGR2RGB)) / 255) or "converted" in str(
        photo.notes)
    assert photo.notes and np.isfinite(photo.image).all()


MAPS = {"npy": npy(GREY / 255), "npy big-endian": npy(GREY.astype(">f8")), "npy integers": npy(GREY),
        "npy bool": npy(GREY > 9), "npy fortran": npy(np.asfortranarray(GREY))}


@fuzz(40)
@given(st.data())
def test_a_spoilt_map(tmp_path, data):
    good = MAPS | {kind: GOOD[kind] for kind in ("PNG 16 grey", "TIFF float", "PNG palette")}
    kind = data.draw(st.sampled_from(sorted(good)))
    file = tmp_path / ("a.npy" if kind in MAPS else "a.png")
    file.write_bytes(data.draw(damaged(good[kind], data.draw(st.sampled_from(sorted(good.values()))))))
    found = outcome(f"map, {kind}", lambda: read_map(file), PhotoError)
    assert isinstance(found, PhotoError) or (found.ndim == 2 and found.dtype == np.float32)
