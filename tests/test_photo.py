# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures go through files without losing bits, orientation, opacity or colour."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from dofkit.colour import linear_to_srgb, srgb_to_linear
from dofkit.photo import read_photo, write_photo

LOSSLESS = [(".png", 8), (".png", 16), (".tif", 8), (".tiff", 16), (".webp", 8)]
# Display P3's primaries adapted to D50 (columns), as its profile has them
P3 = np.array([[0.515121, 0.291977, 0.157104], [0.241196, 0.692245, 0.066574], [-0.001053, 0.041885, 0.784073]])
SRGB = np.array([[0.436075, 0.385065, 0.143080], [0.222504, 0.716879, 0.060617], [0.013932, 0.097105, 0.714173]])


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def random_picture(rng, bits=8, shape=(9, 13, 3)):
    full = 2**bits - 1
    return (rng.integers(0, full + 1, shape) / full).astype(np.float32)


def icc_profile(space=b"RGB ", columns=P3, curve=struct.pack(">4s4xI", b"curv", 0)):
    """The bytes of a small colour profile: one curve for every channel, and a matrix if it is for RGB."""
    xyz = [struct.pack(">4s4x3i", b"XYZ ", *(round(v * 65536) for v in c)) for c in [*columns.T, (0.9642, 1, 0.8249)]]
    name = b"a test profile\0"
    tags = {b"desc": struct.pack(">4s4xI", b"desc", len(name)) + name + bytes(78), b"wtpt": xyz[3]}
    tags |= {b"kTRC": curve} if space == b"GRAY" else dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz, strict=False))
    tags |= {} if space == b"GRAY" else {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, data = b"", b""
    for key, value in tags.items():
        table += struct.pack(">4sII", key, 132 + 12 * len(tags) + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(">I4sI4s4s4s12x4s", 128 + len(body), b"none", 0x02400000, b"mntr", space, b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061) + bytes(48) + body


def raw_png(raw, *, width, height, bits, colour, extra=b""):
    """A PNG of bit depths and colour types that Pillow does not write."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw))
            + chunk(b"IEND", b""))


@pytest.mark.parametrize(("suffix", "bits"), LOSSLESS)
@pytest.mark.parametrize("with_opacity", [False, True])
def test_lossless_formats_give_back_every_bit(tmp_path, rng, suffix, bits, with_opacity):
    image = random_picture(rng, bits)
    opacity = random_picture(rng, bits, (9, 13)) if with_opacity else None
    photo = read_photo(write_photo(tmp_path / f"a{suffix}", image, bits=bits, opacity=opacity))
    assert photo.bits == bits
    assert photo.name == "a"
    assert photo.image.dtype == np.float32
    assert photo.image.tobytes() == image.tobytes()
    assert (photo.opacity is None) if opacity is None else photo.opacity.tobytes() == opacity.tobytes()


@settings(max_examples=40, deadline=None)
@given(data=st.data(), bits=st.sampled_from([8, 16]))
def test_an_untouched_png_is_written_bit_for_bit(tmp_path_factory, data, bits):
    shape = (data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9)), data.draw(st.sampled_from([3, 4])))
    dtype = np.uint8 if bits == 8 else np.uint16
    numbers = data.draw(arrays(dtype, shape))
    path = tmp_path_factory.mktemp("png") / "a.png"
    full = np.iinfo(dtype).max
    values = np.divide(numbers, full, dtype=np.float32)
    write_photo(path, values[..., :3], bits=bits, opacity=values[..., 3] if shape[2] == 4 else None)
    photo = read_photo(path)
    write_photo(path, photo.image, bits=photo.bits, opacity=photo.opacity, force=True)
    again = read_photo(path)
    assert np.array_equal(np.rint(again.image * full).astype(dtype), numbers[..., :3])
    if shape[2] == 4:
        assert np.array_equal(np.rint(again.opacity * full).astype(dtype), numbers[..., 3])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_orientation_is_applied_once(tmp_path, kind, orientation):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24], upright[:16, 24:], upright[16:, :24] = 255, (255, 0, 0), (0, 255, 0)
    # EXIF says which edge of the scene the stored first row and column show; undo that to store the picture
    stored = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.swapaxes(0, 1),
              6: np.rot90(upright, 1), 7: upright[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(upright, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a", kind, exif=exif, **options)
    image = read_photo(tmp_path / "a").image
    assert image.shape == upright.shape
    assert np.abs(image - upright / 255).max() < (0.05 if kind == "JPEG" else 1e-6)


def test_orientation_of_16_bit_colour(tmp_path, rng):
    numbers = rng.integers(0, 65536, (5, 8, 3), dtype=np.uint16)
    exif = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    extra = struct.pack(">I4s", len(exif), b"eXIf") + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in numbers)
    (tmp_path / "a.png").write_bytes(raw_png(raw, width=8, height=5, bits=16, colour=2, extra=extra))
    image = read_photo(tmp_path / "a.png").image
    assert np.array_equal(np.rint(image * 65535), np.rot90(numbers, -1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey(tmp_path, rng, kind):
    numbers = rng.integers(0, 65536, (6, 5), dtype=np.uint16)
    Image.fromarray(numbers).save(tmp_path / "a", kind)
    photo = read_photo(tmp_path / "a")
    assert photo.bits == 16
    assert np.array_equal(np.rint(photo.image * 65535), np.repeat(numbers[..., None], 3, 2))


def test_16_bit_grey_with_alpha(tmp_path, rng):
    numbers = rng.integers(0, 65536, (6, 5, 2), dtype=np.uint16)
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in numbers)
    (tmp_path / "a.png").write_bytes(raw_png(raw, width=5, height=6, bits=16, colour=4))
    photo = read_photo(tmp_path / "a.png")
    assert np.array_equal(np.rint(photo.image[..., 1] * 65535), numbers[..., 0])
    assert np.array_equal(np.rint(photo.opacity * 65535), numbers[..., 1])


@pytest.mark.parametrize(("mode", "kind"), [
    ("1", "PNG"), ("L", "JPEG"), ("LA", "PNG"), ("P", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("RGBA", "TIFF"),
    ("1", "TIFF"), ("YCbCr", "JPEG"), ("YCbCr", "TIFF"), ("L", "WEBP")])
def test_every_kind_of_pixel_becomes_rgb(tmp_path, mode, kind):
    picture = Image.linear_gradient("L").resize((40, 40)).convert("RGB").convert(mode)
    picture.save(tmp_path / "a", kind)
    photo = read_photo(tmp_path / "a")
    assert photo.image.shape == (40, 40, 3)
    assert photo.bits == 8
    assert (photo.opacity is not None) == (mode in ("LA", "RGBA"))
    wanted = np.asarray(picture.convert("RGB"), np.float32) / 255
    assert np.abs(photo.image - wanted).max() < 0.06


def test_a_keyed_out_colour_is_opacity(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [1, 1]], np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.save(tmp_path / "a.png", transparency=0)
    photo = read_photo(tmp_path / "a.png")
    assert photo.opacity.tolist() == [[0, 1], [1, 1]]
    assert np.rint(photo.image[0, 1] * 255).tolist() == [200, 100, 50]


def test_jpeg_lays_clear_parts_on_white_and_keeps_chroma(tmp_path):
    image = np.zeros((16, 16, 3), np.float32)
    image[:, ::2] = 1, 0, 0  # one-pixel stripes of colour: 4:2:0 would smear them
    opacity = np.ones((16, 16), np.float32)
    opacity[:8] = 0
    photo = read_photo(write_photo(tmp_path / "a.jpg", image, opacity=opacity))
    assert photo.image[:7].min() > 0.95
    assert np.abs(photo.image[9:] - image[9:]).max() < 0.12
    assert photo.opacity is None


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "TIFF"])
def test_of_several_pictures_the_first_is_read(tmp_path, kind):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(tmp_path / "a", kind, save_all=True, append_images=frames[1:], **options)
    photo = read_photo(tmp_path / "a")
    assert np.array_equal(photo.image[0, 0], [1, 0, 0])
    assert photo.notes == ("the file holds 2 pictures: the first one is used",)


def wanted_from_p3(values):
    linear = srgb_to_linear(values).astype(float) @ (np.linalg.inv(SRGB) @ P3).T
    return linear_to_srgb(np.clip(linear, 0, 1))


SRGB_CURVE = struct.pack(">4s4xH2x5i", b"para", 3, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055,
                                                                                1 / 12.92, 0.04045)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_display_p3_becomes_srgb(tmp_path, kind):
    picture = Image.new("RGB", (16, 16), (180, 90, 60))
    picture.save(tmp_path / "a", kind, icc_profile=icc_profile(curve=SRGB_CURVE))
    photo = read_photo(tmp_path / "a")
    assert photo.notes == ("colours converted from 'a test profile' to sRGB",)
    wanted = wanted_from_p3(np.array([180, 90, 60]) / 255)
    assert np.abs(photo.image[8, 8] - wanted).max() < 2.5 / 255
    assert np.abs(wanted * 255 - [180, 90, 60]).max() > 8


def test_display_p3_with_16_bits_is_exact(tmp_path, rng):
    numbers = rng.integers(0, 65536, (7, 9, 3), dtype=np.uint16)
    packed = zlib.compress(icc_profile(curve=SRGB_CURVE))
    data = b"p3\0\0" + packed
    extra = struct.pack(">I4s", len(data), b"iCCP") + data + struct.pack(">I", zlib.crc32(b"iCCP" + data))
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in numbers)
    (tmp_path / "a.png").write_bytes(raw_png(raw, width=9, height=7, bits=16, colour=2, extra=extra))
    photo = read_photo(tmp_path / "a.png")
    assert photo.bits == 16
    assert np.abs(photo.image - wanted_from_p3(numbers / 65535)).max() < 4e-4


def test_grey_gamma_profile(tmp_path):
    numbers = np.arange(256, dtype=np.uint8)[None].repeat(2, 0)
    gamma = struct.pack(">4s4xIH2x", b"curv", 1, round(1.8 * 256))
    profile = icc_profile(b"GRAY", curve=gamma)
    Image.fromarray(numbers).save(tmp_path / "8.png", icc_profile=profile)
    Image.fromarray(numbers.astype(np.uint16) * 257).save(tmp_path / "16.png", icc_profile=profile)
    wanted = linear_to_srgb((numbers[0] / 255) ** (461 / 256))
    assert np.abs(read_photo(tmp_path / "8.png").image[0, :, 1] - wanted).max() < 2.5 / 255
    assert np.abs(read_photo(tmp_path / "16.png").image[0, :, 1] - wanted).max() < 1e-4


def test_an_srgb_profile_under_any_name_changes_no_bit(tmp_path, rng):
    numbers = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(numbers).save(tmp_path / "a.png", icc_profile=icc_profile(columns=SRGB, curve=SRGB_CURVE))
    photo = read_photo(tmp_path / "a.png")
    assert photo.notes == ()
    assert np.array_equal(np.rint(photo.image * 255), numbers)


@pytest.mark.parametrize("profile", [b"rubbish", icc_profile()[:200], icc_profile(b"GRAY")])
def test_an_unusable_profile_is_ignored_with_a_note(tmp_path, profile):
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "a.png", icc_profile=profile)
    photo = read_photo(tmp_path / "a.png")
    assert np.array_equal(np.rint(photo.image[0, 0] * 255), [1, 2, 3])
    assert len(photo.notes) == 1
    assert "ignored" in photo.notes[0]


def test_srgb_is_the_standard_curve():
    codes = np.arange(256) / 255
    exact = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    linear = srgb_to_linear(codes)
    assert linear.dtype == np.float32
    assert np.abs(linear - exact).max() < 1e-6
    assert np.array_equal(np.rint(linear_to_srgb(linear) * 255), np.arange(256))
    assert linear_to_srgb(np.float32(-0.01)) == pytest.approx(-0.1292, rel=1e-5)


def test_jpeg_is_written_with_high_quality_and_full_chroma(tmp_path):
    path = write_photo(tmp_path / "a.jpeg", np.full((8, 8, 3), 0.5, np.float32))
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        assert picture.layer[0][1:3] == picture.layer[1][1:3]  # the same sampling for luma and chroma
        assert max(picture.quantization[0]) < 15
