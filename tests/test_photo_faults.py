# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad files, folders and disks: one clear message each, and never a half-written file."""

import errno
import io
import os
import resource
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dofkit import files
from dofkit.files import check_output
from dofkit.photo import PhotoError, read_photo, write_photo

PICTURE = np.random.default_rng(3).random((24, 32, 3)).astype(np.float32)


def encoded(kind, bits=8):
    """The bytes of a good file, with some detail in it."""
    numbers = np.rint(PICTURE * 255).astype(np.uint8)
    if bits == 16:
        return cv2.imencode(f".{kind.lower()}", np.rint(PICTURE * 65535).astype(np.uint16))[1].tobytes()
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(numbers).save(buffer, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    return buffer.getvalue()


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(("name", "data", "words"), [
    ("missing.jpg", None, "there is no file"),
    ("empty.jpg", b"", "is empty"),
    ("text.jpg", b"hello, world", "is not a picture"),
    ("moving.jpg", b"GIF89a" + bytes(20), "is a GIF, which is not supported: export it as JPEG"),
    ("phone.heic", b"\0\0\0\x18ftypheic" + bytes(20), "is a HEIF or AVIF picture"),
    ("none.png", png_header(0, 5) + bytes(40), "damaged|0 pixels|not a picture"),
    ("nul\0.jpg", None, "there is no file|cannot open"),
    ("x" * 300 + ".jpg", None, "there is no file|cannot open"),
])
def test_bad_input_is_named(tmp_path, name, data, words):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(PhotoError, match=words):
        read_photo(tmp_path / name)


def test_a_folder_and_a_pipe_are_no_pictures(tmp_path):
    with pytest.raises(PhotoError, match="is a folder"):
        read_photo(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PhotoError, match="not a regular file"):
        read_photo(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("kind", "bits"), [("PNG", 8), ("PNG", 16), ("JPEG", 8), ("WEBP", 8), ("TIFF", 8), ("TIFF", 16)]
)
def test_cut_short_anywhere_is_an_error_or_the_whole_picture(tmp_path, kind, bits):
    data = encoded(kind, bits)
    path = tmp_path / "a"
    path.write_bytes(data)
    whole = read_photo(path).image
    ends = {*np.linspace(0, len(data) - 1, 60).astype(int).tolist(), *range(len(data) - 20, len(data))}
    read = 0
    for end in sorted(ends):
        path.write_bytes(data[:end])
        try:
            assert np.array_equal(read_photo(path).image, whole)
            read += 1
        except PhotoError as error:
            assert str(path) in str(error)
    assert read < 25  # only marks after the pixels may be missing


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_end_in_a_picture_or_a_photo_error(tmp_path_factory, data):
    good = GOOD[data.draw(st.sampled_from(sorted(GOOD)))]
    bad = bytearray(good)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=6)):
        bad[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(bad) if data.draw(st.booleans()) else bytes(bad) + data.draw(st.binary(max_size=40)))
    try:
        photo = read_photo(path, max_pixels=1_000_000)
    except PhotoError:
        return
    assert photo.image.ndim == 3
    assert np.isfinite(photo.image).all()


GOOD = {(kind, bits): encoded(kind, bits) for kind, bits in
        [("PNG", 8), ("PNG", 16), ("JPEG", 8), ("WEBP", 8), ("TIFF", 8), ("TIFF", 16)]}


@pytest.mark.parametrize("side", [12_000, 40_000, 2**31 - 1])
def test_a_bomb_is_refused_from_its_header(tmp_path, side):
    packed = zlib.compress(bytes(10_000_000))
    chunk = struct.pack(">I", len(packed)) + b"IDAT" + packed + struct.pack(">I", zlib.crc32(b"IDAT" + packed))
    (tmp_path / "bomb.png").write_bytes(png_header(side, side) + chunk)
    tracemalloc.start()
    try:
        with pytest.raises(PhotoError, match="over the limit of 100,000,000"):
            read_photo(tmp_path / "bomb.png")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_header_that_claims_too_much_for_the_file_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(png_header(9000, 9000) + encoded("PNG")[33:])
    with pytest.raises(PhotoError, match="claims 9000x9000 pixels in"):
        read_photo(tmp_path / "a.png")


def test_a_chunk_that_claims_gigabytes_takes_none(tmp_path):
    data = bytearray(encoded("PNG", 16))
    data[33] = 0x7F  # the length of the chunk of pixels
    (tmp_path / "a.png").write_bytes(bytes(data))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(tmp_path / "a.png")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_the_limit_can_be_set_and_pictures_at_the_limit_are_read(tmp_path):
    write_photo(tmp_path / "a.png", PICTURE)
    assert read_photo(tmp_path / "a.png", max_pixels=24 * 32).image.shape == (24, 32, 3)
    with pytest.raises(PhotoError, match=r"32x24 = 768 pixels, over the limit of 767"):
        read_photo(tmp_path / "a.png", max_pixels=767)


def test_float_tiffs_are_maps_not_photos(tmp_path):
    Image.fromarray(PICTURE[..., 0]).save(tmp_path / "a.tif")
    with pytest.raises(PhotoError, match="not a photograph"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize(("name", "words"), [
    ("a.gif", "suffix '.gif' is not supported; use one of .jpg"),
    ("a", "has no suffix"),
    ("no/such/a.png", "there is no folder"),
    ("folder.png", "it is a folder"),
    ("there.png", "exists already"),
    ("x" * 300 + ".png", "cannot write"),
    ("nul\0.png", "cannot write"),
])
def test_bad_outputs_are_named_before_and_while_writing(tmp_path, name, words):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "there.png").write_bytes(b"precious")
    for attempt in (check_output, lambda path: write_photo(path, PICTURE)):
        with pytest.raises(PhotoError, match=words):
            attempt(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.png", "there.png"]
    assert (tmp_path / "there.png").read_bytes() == b"precious"


def test_force_overwrites_and_follows_links(tmp_path):
    (tmp_path / "b.png").write_bytes(b"old")
    (tmp_path / "a.png").symlink_to("b.png")
    with pytest.raises(PhotoError, match="exists already"):
        write_photo(tmp_path / "a.png", PICTURE)
    write_photo(tmp_path / "a.png", PICTURE, force=True)
    assert (tmp_path / "a.png").is_symlink()
    assert read_photo(tmp_path / "b.png").image.shape == PICTURE.shape


def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere, so ask for it
    with pytest.raises(PhotoError, match="is read-only"):
        check_output(tmp_path / "a.png")


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, error):
    path = write_photo(tmp_path / "a.png", PICTURE)
    before = path.read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(*{"fsync": (files.os, "fsync", fail), "replace": (files.Path, "replace", fail)}[step])
    wanted = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else PhotoError
    with pytest.raises(wanted, match="No space left" if wanted is PhotoError else None):
        write_photo(path, PICTURE[:5], force=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_written_files_have_ordinary_permissions(tmp_path):
    path = write_photo(tmp_path / "a.png", PICTURE)
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(("image", "options", "words"), [
    (PICTURE[..., 0], {}, "must be"),
    (PICTURE[:0], {}, "must be"),
    (np.zeros((4, 4, 3), np.uint8), {}, "must be"),
    (np.full((4, 4, 3), np.nan), {}, "NaN"),
    (PICTURE, {"opacity": PICTURE[:3, :, 0]}, "does not fit"),
    (PICTURE, {"bits": 12}, "8 or 16"),
])
def test_what_is_no_picture_is_not_written(tmp_path, image, options, words):
    with pytest.raises(PhotoError, match=words):
        write_photo(tmp_path / "a.png", image, **options)
    assert not any(tmp_path.iterdir())


def test_a_picture_too_long_for_webp_is_refused(tmp_path):
    with pytest.raises(PhotoError, match="at most 16383 px a side"):
        write_photo(tmp_path / "a.webp", np.zeros((1, 16384, 3), np.float32))
