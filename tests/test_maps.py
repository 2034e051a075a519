# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks and depths that people bring: read as they are meant, checked against the photo, resized without inventing."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from dofkit.maps import check_depth, check_mask, read_map, write_map
from dofkit.photo import PhotoError


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@settings(max_examples=30, deadline=None)
@given(values=arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)),
                     elements=st.floats(0, 1, width=32)), bits=st.sampled_from([8, 16]))
def test_png_keeps_values_to_half_a_step(tmp_path_factory, values, bits):
    path = write_map(tmp_path_factory.mktemp("map") / "a.png", values, bits=bits)
    again = read_map(path)
    assert again.dtype == np.float32
    if np.rint(values * (2**bits - 1)).max() != 1:  # that would be a file of 0/1 labels
        assert np.abs(again - values).max() <= 0.5001 / (2**bits - 1)


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_float_files_keep_any_number(tmp_path, rng, suffix):
    depth = rng.normal(0, 1e6, (7, 9)).astype(np.float32)
    assert np.array_equal(read_map(write_map(tmp_path / f"a{suffix}", depth)), depth)


def test_labels_are_kept(tmp_path):
    labels = np.array([[0, 1], [2, 5]], np.uint8)
    write_map(tmp_path / "a.png", labels, bits=8)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), labels)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16])
def test_zero_one_labels_are_a_mask(tmp_path, dtype):
    mask = np.array([[0, 1, 1]], dtype)
    np.save(tmp_path / "a.npy", mask)
    assert read_map(tmp_path / "a.npy").tolist() == [[0, 1, 1]]
    if dtype is not bool:
        Image.fromarray(mask).save(tmp_path / "a.png")
        assert read_map(tmp_path / "a.png").tolist() == [[0, 1, 1]]


def test_kinds_of_files_that_hold_a_mask(tmp_path):
    numbers = np.array([[0, 60, 255], [255, 128, 3]], np.uint8)
    grey = Image.fromarray(numbers)
    grey.save(tmp_path / "grey.png")
    grey.convert("RGB").save(tmp_path / "rgb.png")
    grey.convert("RGB").save(tmp_path / "rgb.webp", lossless=True)
    grey.convert("P").save(tmp_path / "palette.png")
    opaque = grey.convert("RGBA")
    opaque.save(tmp_path / "opaque.png")
    cutout = Image.new("RGB", grey.size, (200, 30, 90))
    cutout.putalpha(grey)
    cutout.save(tmp_path / "cutout.png")
    Image.fromarray(numbers.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    cv2.imwrite(str(tmp_path / "deeprgb.png"), np.repeat(numbers[..., None].astype(np.uint16) * 257, 3, 2))
    for name in ("grey.png", "rgb.png", "rgb.webp", "palette.png", "opaque.png", "cutout.png", "deep.png",
                 "deeprgb.png"):
        assert np.allclose(read_map(tmp_path / name), numbers / 255, atol=1e-6), name
    grey.resize((30, 20)).convert("RGB").save(tmp_path / "rgb.jpg")
    assert read_map(tmp_path / "rgb.jpg").shape == (20, 30)


def test_orientation_of_a_map_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.array([[10, 20], [30, 40]], np.uint8)).save(tmp_path / "a.png", exif=exif)
    assert np.rint(read_map(tmp_path / "a.png") * 255).tolist() == [[30, 10], [40, 20]]


@pytest.mark.parametrize(("array", "words"), [
    (np.zeros((4, 4, 3)), "one .H, W. array"),
    (np.zeros(5), "one .H, W. array"),
    (np.zeros((0, 4)), "pixels"),
    (np.array([[1j]]), "one .H, W. array"),
    (np.array([["text"]]), "one .H, W. array"),
    (np.array([[object()]]), "not a usable .npy"),
])
def test_arrays_that_are_no_map(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(PhotoError, match=words):
        read_map(tmp_path / "a.npy")


def test_files_that_are_no_map(tmp_path):
    Image.new("RGB", (4, 4), (9, 200, 30)).save(tmp_path / "colour.png")
    with pytest.raises(PhotoError, match="is a colour picture"):
        read_map(tmp_path / "colour.png")
    np.save(tmp_path / "cut.npy", np.zeros((50, 50)))
    whole = (tmp_path / "cut.npy").read_bytes()
    for end in (0, 3, 20, 100, 5000):
        (tmp_path / "cut.npy").write_bytes(whole[:end])
        with pytest.raises(PhotoError, match=r"empty|not a usable"):
            read_map(tmp_path / "cut.npy")
    lying = whole.replace(b"(50, 50)", b"(9999999, 9999999)").replace(b" " * 14 + b"\n", b"\n")
    (tmp_path / "cut.npy").write_bytes(lying)
    with pytest.raises(PhotoError, match="not a usable"):
        read_map(tmp_path / "cut.npy")
    with pytest.raises(PhotoError, match="there is no file"):
        read_map(tmp_path / "none.npy")


@pytest.mark.parametrize(("values", "name", "words"), [
    (np.array([[0.5, 7.0]]), "a.png", "use .tif or .npy"),
    (np.array([[0.5, np.nan]]), "a.png", "use .tif or .npy"),
    (np.array([[-1, 300]]), "a.png", "use .tif or .npy"),
    (np.zeros((2, 2, 3)), "a.png", "must be"),
    (np.zeros((2, 2)), "a.jpg", "suffix '.jpg' is not supported"),
])
def test_what_a_map_file_cannot_hold(tmp_path, values, name, words):
    with pytest.raises(PhotoError, match=words):
        write_map(tmp_path / name, values, bits=8)
    assert not any(tmp_path.iterdir())


def test_maps_are_not_overwritten(tmp_path):
    write_map(tmp_path / "a.png", np.eye(3))
    with pytest.raises(PhotoError, match="exists already"):
        write_map(tmp_path / "a.png", np.eye(3))
    write_map(tmp_path / "a.png", np.eye(4), force=True)
    assert read_map(tmp_path / "a.png").shape == (4, 4)


def disc(h, w):
    rows, columns = np.mgrid[:h, :w]
    return ((columns / w - 0.5) ** 2 + (rows / h - 0.5) ** 2 < 0.09).astype(np.float32)


@pytest.mark.parametrize("shape", [(60, 80), (240, 320), (119, 160)])
def test_a_mask_of_another_size_covers_the_same_part(shape):
    mask = check_mask(disc(*shape), (120, 160, 3))
    assert mask.shape == (120, 160)
    assert mask.dtype == np.float32
    assert mask.mean() == pytest.approx(np.pi * 0.09, abs=0.01)
    assert mask.min() == 0
    assert mask.max() == 1


@pytest.mark.parametrize(("mask", "words"), [
    (np.zeros((6, 8)), "empty"),
    (np.full((6, 8), 0.4), "empty"),
    (np.ones((6, 8)), "full"),
    (disc(6, 8) * 255, "0 .background. ... 1"),
    (disc(6, 8) - 1, "0 .background. ... 1"),
    (np.where(disc(6, 8) > 0, np.nan, 0), "NaN or infinite values in"),
    (disc(8, 6), "another aspect ratio; it seems to lie on its side"),
    (disc(60, 90), "the mask is 90x60 but the photo is 80x60, another aspect ratio;"),
    (np.dstack([disc(6, 8)] * 3), "one channel"),
    (np.zeros((0, 0)), "one channel"),
    (np.array([["a"]]), "one channel"),
])
def test_masks_that_cannot_be_used(mask, words):
    with pytest.raises(PhotoError, match=words):
        check_mask(mask, (60, 80))


def test_a_fitting_mask_is_unchanged(rng):
    mask = rng.random((6, 8)).astype(np.float32)
    assert np.array_equal(check_mask(mask, (6, 8, 3)), mask)
    assert check_mask(disc(6, 8) > 0, (6, 8)).dtype == np.float32


@pytest.mark.parametrize("factor", [0.25, 0.5, 2, 3.3])
def test_resizing_depth_invents_nothing_between_person_and_wall(factor):
    h, w = 60, 90
    wall = np.linspace(4, 5, w, dtype=np.float32)[None].repeat(h, 0)
    depth = np.where(disc(h, w) > 0, np.float32(1.5), wall)
    small = check_depth(depth, (round(h * factor), round(w * factor)))
    assert small.shape == (round(h * factor), round(w * factor))
    assert np.all((np.abs(small - 1.5) < 1e-6) | (small > 4 - 1e-5))
    assert (small < 2).mean() == pytest.approx((depth < 2).mean(), abs=0.03)
    assert np.unique(small[0]).size > 0.9 * small.shape[1]  # the slope of the wall stays smooth


@pytest.mark.parametrize(("depth", "words"), [
    (np.full((6, 8), 3.0), "is 3 everywhere"),
    (np.zeros((6, 8)), "is 0 everywhere"),
    (np.where(disc(6, 8) > 0, np.inf, 1), "NaN or infinite values in 1[0-9] of 48 pixels: fill them first"),
    (np.where(disc(6, 8) > 0, np.nan, 1), "NaN or infinite"),
    (np.where(disc(6, 8) > 0, 1e300, 1), "NaN or infinite"),
    (disc(60, 90), "another aspect ratio"),
])
def test_depths_that_cannot_be_used(depth, words):
    with pytest.raises(PhotoError, match=words):
        check_depth(depth, (60, 80))
