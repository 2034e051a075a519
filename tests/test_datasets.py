# SPDX-License-Identifier: GPL-3.0-or-later
"""Every layout on small files written here, broken ones too, and the real data where DOFKIT_DATA has it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from dofkit.datasets import DataError, Dataset, Item, ccp, folder, selfie
from dofkit.datasets.ccp import clean_mask
from dofkit.datasets.selfie import BAD_MASKS, LEAKS
from dofkit.maps import write_map
from dofkit.photo import write_photo

SIZE = (8, 6)


def picture(path: Path, *, level: float = 0.5, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_photo(path, np.full((*size, 3), level, np.float32))


def person(rows: int = 4) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[:rows] = 1
    return mask


def mat(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, arrays)


# the item and the sequence

@pytest.mark.parametrize("wrong", [
    {"image": np.zeros((4, 5, 3))}, {"image": np.zeros((4, 5), np.float32)},
    {"image": np.zeros((0, 5, 3), np.float32)},
    {"mask": np.zeros((4, 6), bool)}, {"mask": np.zeros((4, 5))}, {"depth": np.zeros((4, 5))},
    {"pairs": np.zeros((2, 4), np.int64)}, {"pairs": np.array([[0, 0, 4, 0, 1]])},
    {"pairs": np.array([[0, -1, 1, 0, 1]])}, {"pairs": np.array([[0, 0, 1, 0, 0]])}])
def test_item_refuses_what_does_not_belong_together(wrong):
    with pytest.raises(DataError, match=r"^seven: "):
        Item(**{"image": np.zeros((4, 5, 3), np.float32), "name": "seven"} | wrong)


def numbered(number: int) -> Item:
    return Item(np.full((1, 1, 3), number, np.float32), name=str(number))


def test_dataset_is_a_lazy_sequence():
    numbers = Dataset("numbers", range(10), numbered, {"listed": 12, "without a file": 2})
    assert len(numbers) == 10
    assert [item.name for item in numbers][:2] == ["0", "1"]
    assert numbers[np.int64(-1)].name == "9"
    assert [item.name for item in numbers[2:8:3]] == ["2", "5"]
    assert str(numbers) == "numbers: 10 items (12 listed, 2 without a file)"
    assert pickle.loads(pickle.dumps(numbers))[3].name == "3"
    with pytest.raises(IndexError):
        numbers[10]


def test_hold_out_is_disjoint_complete_and_seeded():
    numbers = Dataset("numbers", range(50), numbered)
    rest, held = numbers.hold_out(20, seed=1)
    assert sorted([*rest.keys, *held.keys]) == list(range(50))
    assert len(held) == 20
    assert list(held.keys) == list(numbers.hold_out(20, seed=1)[1].keys)
    assert list(held.keys) != list(numbers.hold_out(20, seed=2)[1].keys)
    for n in (-1, 50, 500):
        with pytest.raises(DataError, match=f"hold out {n} of 50"):
            numbers.hold_out(n)


# the selfie set and its re-packings

LAYOUTS = {
    "matlab": ("images_data_crop/{:05d}.jpg", "images_mask/{:05d}_mask.mat"),
    "grey": ("images_data_crop/{:05d}.jpg", "GT_png/{:05d}_mask.png"),
    "labels": ("Images/{:05d}.png", "Labels/{:05d}.png"),
}
TRAIN, TEST = (1, 2, 203, 320, 2040, 900), (3, 4, 1175, 345, 901)  # 900 and 901 have no files


def selfie_set(base: Path, layout: str, lists: str) -> None:
    image, mask = LAYOUTS[layout]
    for number in (*TRAIN[:-1], *TEST[:-1], 77):
        picture(base / image.format(number))
        if layout == "matlab":
            mat(base / mask.format(number), mask=person())
        else:
            (base / mask).parent.mkdir(exist_ok=True)
            write_map(base / mask.format(number), person() * (255 if layout == "grey" else 1), bits=8)
    for name, numbers in (("train", TRAIN), ("test", TEST)):
        if lists == "mat":
            mat(base / f"{name}list.mat", **{f"{name}list": np.array([numbers], np.uint16)})
        else:
            (base / f"eg1800_{name}.txt").write_text("".join(f"{i:05d}.png\n" for i in numbers))


@pytest.mark.parametrize(("layout", "lists", "where"), [
    ("matlab", "mat", "selfie"), ("grey", "mat", "selfie"), ("grey", "txt", "EG1800"),
    ("labels", "txt", "EG1800"), ("labels", "txt", ".")])
def test_selfie_layouts(tmp_path, layout, lists, where):
    selfie_set(tmp_path / where, layout, lists)
    train, test = selfie("train", root=tmp_path), selfie("test", root=tmp_path)
    assert [item.name for item in train] == ["00001", "00002"]
    assert [item.name for item in test] == ["00003", "00004"]
    assert list(selfie("train", root=tmp_path, leaks=True).keys) == [1, 2, 203, 320]
    assert list(selfie("test", root=tmp_path, leaks=True).keys) == [3, 4, 345, 1175]
    assert list(selfie("unlisted", root=tmp_path).keys) == [77]
    assert len(selfie("all", root=tmp_path)) == 9
    assert train.counts == {"listed": 6, "without a file": 1, "bad masks": 1, "leaks left out": 2}
    item = test[0]
    assert (item.image.dtype, item.image.shape) == (np.float32, (*SIZE, 3))
    assert abs(item.image.mean() - 0.5) < 0.01
    assert np.array_equal(item.mask, person() > 0)


def test_a_leak_counts_only_between_the_lists(tmp_path):
    selfie_set(tmp_path, "labels", "txt")
    for name in ("train", "test"):  # both pictures of every leak in one list
        (tmp_path / f"eg1800_{name}.txt").write_text("00001\n" if name == "test" else "00203\n01175\n")
    assert selfie("train", root=tmp_path).counts["leaks left out"] == 0


def test_leaks_and_bad_masks_are_distinct_pictures():
    numbers = [number for pair in LEAKS for number in pair] + list(BAD_MASKS)
    assert len(set(numbers)) == len(numbers) == 17


def test_a_missing_selfie_set_says_what_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("DOFKIT_DATA", raising=False)
    with pytest.raises(DataError, match="DOFKIT_DATA"):
        selfie("test")
    with pytest.raises(DataError, match=r"nowhere.*no folder"):
        selfie("test", root=tmp_path / "nowhere")
    with pytest.raises(DataError, match="images_data_crop/ and images_mask/"):
        selfie("test", root=tmp_path)
    selfie_set(tmp_path, "matlab", "mat")
    monkeypatch.setenv("DOFKIT_DATA", str(tmp_path))
    assert len(selfie("test")) == 2
    (tmp_path / "testlist.mat").unlink()
    with pytest.raises(DataError, match=r"testlist\.mat, eg1800_test\.txt"):
        selfie("test")
    (tmp_path / "eg1800_test.txt").write_text("00900.png\n")
    with pytest.raises(DataError, match="none of 1 photographs"):
        selfie("test")
    (tmp_path / "eg1800_test.txt").write_text("somebody.png\n")
    with pytest.raises(DataError, match="not a list of names"):
        selfie("test")


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "key", "cell", "size", "image"])
def test_a_broken_selfie_file_is_one_error(tmp_path, damage):
    selfie_set(tmp_path, "matlab", "mat")
    path = tmp_path / "images_mask" / "00003_mask.mat"
    whole = path.read_bytes()
    if damage in ("text", "cut", "empty"):
        path.write_bytes({"text": b"no matlab" * 50, "cut": whole[: len(whole) - 40], "empty": b""}[damage])
    elif damage == "image":
        (tmp_path / "images_data_crop" / "00003.jpg").write_bytes(b"no jpeg")
    else:
        savemat(path, {"key": {"other": person()}, "cell": {"mask": np.array([[[1], "x"]], object)},
                       "size": {"mask": person()[:3]}}[damage])
    data = selfie("test", root=tmp_path)
    with pytest.raises(DataError, match="00003"):
        data[0]
    assert data[1].mask.any()


# CCP

SPLITS = "id,split\na,train\nb,train\nc,val\nz,val\n"


def ccp_set(base: Path, names: str = "abcd", *, splits: str | None = SPLITS) -> None:
    for name in names:
        picture(base / "photos" / f"{name}.jpg", size=(40, 30))
        labels = np.zeros((40, 30), np.uint8)
        labels[10:30, 5:25] = 7
        labels[15, 15] = 0  # a pinhole
        labels[0, 0] = 3  # a speck
        mat(base / "annotations" / "pixel-level" / f"{name}.mat", groundtruth=labels)
    if splits:
        (base / "splits.csv").write_text(splits)


def test_ccp_layout(tmp_path):
    ccp_set(tmp_path / "ccp")
    assert [item.name for item in ccp("train", root=tmp_path)] == ["a", "b"]
    assert ccp("val", root=tmp_path).counts == {"listed": 2, "without a file": 1}
    assert len(ccp("all", root=tmp_path / "ccp")) == 4
    mask = np.zeros((40, 30), bool)
    mask[10:30, 5:25] = True
    assert np.array_equal(ccp("val", root=tmp_path)[0].mask, mask)


def test_ccp_without_a_table_of_splits(tmp_path):
    ccp_set(tmp_path, names="abcdefghijkl", splits=None)
    train, val = ccp("train", root=tmp_path), ccp("val", root=tmp_path)
    assert (len(train), len(val)) == (11, 1)
    assert not set(train.keys) & set(val.keys)


@pytest.mark.parametrize("splits", [b"name,part\na,train\n", b"id,split\nz,val\n", b"id,split\n\xff\xfe"])
def test_ccp_with_a_bad_table(tmp_path, splits):
    ccp_set(tmp_path)
    (tmp_path / "splits.csv").write_bytes(splits)
    with pytest.raises(DataError, match=r"splits\.csv"):
        ccp("val", root=tmp_path)


def test_ccp_missing(tmp_path):
    with pytest.raises(DataError, match="photos/ and annotations/pixel-level/"):
        ccp("val", root=tmp_path)
    for name in ("photos", "annotations/pixel-level"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(DataError, match=r"no photos/NAME\.jpg"):
        ccp("val", root=tmp_path)
    with pytest.raises(ValueError, match="split"):
        ccp("test", root=tmp_path)


def test_clean_mask_keeps_bags_and_arms_on_hips():
    mask = np.zeros((300, 200), bool)
    mask[20:280, 60:140] = True  # the person, 20800 px
    mask[100:112, 90:100] = False  # 120 px: an arm on the hip
    mask[150:160, 90:101] = False  # 110 px: a hole of the labelling
    mask[150:158, 20:31] = True  # 88 px, above 0.4 % = 83.2 px: a bag
    mask[200:208, 20:30] = True  # 80 px: a speck
    mask[0:5, 0:15] = True  # 75 px: a speck at the border
    wanted = mask.copy()
    wanted[150:160, 90:101] = True
    wanted[200:208, 20:30] = wanted[0:5, 0:15] = False
    assert np.array_equal(clean_mask(mask), wanted)
    assert not clean_mask(np.zeros((5, 5), bool)).any()
    assert clean_mask(np.ones((9, 9), bool)).all()
    bay = np.ones((20, 20), bool)
    bay[:3, 5:8] = False  # 9 px open to the border: background, not a hole
    assert np.array_equal(clean_mask(bay), bay)
    assert np.array_equal(clean_mask(clean_mask(mask)), clean_mask(mask))


# any folder

@pytest.mark.parametrize(("suffix", "image", "mask"), [
    ("", "a.jpg", "a.png"), ("_mask", "a.JPG", "a_mask.PNG"), ("-profile", "1-1.jpeg", "1-1-profile.jpg"),
    ("-seg", "deep/er/b.webp", "other/b-seg.tif"), ("", "é ü.png", "é ü.npy")])
def test_folder_matches_by_stem(tmp_path, suffix, image, mask):
    picture(tmp_path / "images" / image.lower())
    (tmp_path / "images" / image.lower()).rename(tmp_path / "images" / image)
    picture(tmp_path / "images" / "lonely.png")
    picture((tmp_path / "masks" / mask).with_suffix(".png"), level=1)
    (tmp_path / "masks" / mask).with_suffix(".png").unlink()
    if mask.endswith("jpg"):
        write_photo(tmp_path / "masks" / mask, np.repeat(person()[..., None], 3, 2).astype(np.float32))
    else:
        values = person().astype(np.float32) if mask.endswith("npy") else person() * 255
        write_map(tmp_path / "masks" / mask.lower(), values, bits=8)
        (tmp_path / "masks" / mask.lower()).rename(tmp_path / "masks" / mask)
    data = folder(tmp_path / "images", tmp_path / "masks", suffix=suffix)
    assert [item.name for item in data] == [Path(image).stem]
    assert data.counts == {"photographs": 2, "without a mask": 1}
    assert np.array_equal(data[0].mask, person() > 0)


def test_folder_with_masks_among_the_pictures_and_below_them(tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
        write_map(tmp_path / f"{name}.mask.png", person(), bits=8)
    assert [item.name for item in folder(tmp_path, tmp_path, suffix=".mask")] == ["a", "b"]
    with pytest.raises(DataError, match=r"with suffix='\.mask' some would"):
        folder(tmp_path, tmp_path)
    (tmp_path / "masks").mkdir()
    for name in "ab":
        (tmp_path / f"{name}.mask.png").rename(tmp_path / "masks" / f"{name}.png")
    assert [item.name for item in folder(tmp_path, tmp_path / "masks")] == ["a", "b"]


def test_folder_reads_the_alpha_of_a_cut_out(tmp_path):
    picture(tmp_path / "clip_img" / "1" / "clip_0" / "x.jpg")
    (tmp_path / "matting" / "1" / "matting_0").mkdir(parents=True)
    write_photo(tmp_path / "matting" / "1" / "matting_0" / "x.png", np.full((*SIZE, 3), 0.3, np.float32),
                opacity=person().astype(np.float32))
    item = folder(tmp_path / "clip_img", tmp_path / "matting")[0]
    assert np.array_equal(item.mask, person() > 0)


def test_folder_threshold_and_label_numbers(tmp_path):
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "masks").mkdir()
    write_map(tmp_path / "masks" / "a.png", person() * 20, bits=8)  # class 20 of a label map
    with pytest.raises(DataError, match="threshold=0"):
        folder(tmp_path / "images", tmp_path / "masks")[0]
    item = folder(tmp_path / "images", tmp_path / "masks", threshold=0)[0]
    assert np.array_equal(item.mask, person() > 0)
    write_map(tmp_path / "masks" / "a.png", person() * 0, bits=8, force=True)
    assert not folder(tmp_path / "images", tmp_path / "masks")[0].mask.any()


def test_folder_of_depths_either_way_round(tmp_path):
    picture(tmp_path / "a.png")
    depth = np.arange(SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    write_map(tmp_path / "a_depth.tiff", depth)
    ask = {"depths": tmp_path, "depth_suffix": "_depth"}
    assert np.array_equal(folder(tmp_path, **ask)[0].depth, depth)
    assert np.array_equal(folder(tmp_path, **ask, larger_is="nearer")[0].depth, depth.max() - depth)
    assert folder(tmp_path)[0].depth is None
    with pytest.raises(ValueError, match="larger_is"):
        folder(tmp_path, larger_is="closer")


def test_folder_errors(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for bad in ((tmp_path / "nowhere",), (tmp_path / "images",), (tmp_path / "images", tmp_path / "masks")):
        with pytest.raises(DataError, match=r"no folder|no photograph|no mask"):
            folder(*bad)
    picture(tmp_path / "images" / "a.png")
    write_map(tmp_path / "masks" / "a.png", person()[:3], bits=8)
    with pytest.raises(DataError, match=r"6 x 3.*6 x 8"):
        folder(tmp_path / "images", tmp_path / "masks")[0]
    (tmp_path / "masks" / "a.png").write_bytes(b"\x89PNG but no more")
    with pytest.raises(DataError, match=r"a\.png"):
        folder(tmp_path / "images", tmp_path / "masks")[0]
    picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(DataError, match="two files of one name"):
        folder(tmp_path / "images")


# the real data

def real(name: str) -> Path:
    root = os.environ.get("DOFKIT_DATA", "")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"DOFKIT_DATA has no {name}/")
    return Path(root)


@pytest.mark.parametrize(("split", "leaks", "count"), [
    ("train", False, 1280), ("train", True, 1287), ("test", False, 257), ("test", True, 264),
    ("unlisted", True, 51), ("all", True, 1602)])
def test_real_selfie_counts(split, leaks, count):
    data = selfie(split, root=real("selfie"), leaks=leaks)
    assert len(data) == count
    item = data[len(data) // 2]
    assert item.shape == (800, 600)
    assert 0.2 < item.mask.mean() < 0.99


@pytest.mark.parametrize(("split", "count"), [("train", 784), ("val", 98), ("all", 882)])
def test_real_ccp_counts(split, count):
    data = ccp(split, root=real("ccp"))
    assert len(data) == count
    item = data[0]
    assert item.shape[1] == 550
    assert 0.1 < item.mask.mean() < 0.4
