# SPDX-License-Identifier: GPL-3.0-or-later
"""Spoilt data sets end in items or in one DataError: the selfie set, CCP, Depth in the Wild, any folder, kept files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from dofkit.arrays import pack_arrays
from dofkit.datasets import DataError, Item, ccp, diw, folder, selfie
from dofkit.datasets.scene_cache import _load
from dofkit.recipes.pairs import Pair, read_pair
from tests.faults.damage import damaged, fuzz, outcome
from tests.faults.test_spoilt_pictures import GOOD, npy

MASK = (np.indices((24, 32)).sum(0) > 30).astype(np.uint8)


def mat(**arrays) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, arrays, do_compression=True)
    return buffer.getvalue()


def plain_mat(**arrays) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, arrays)
    return buffer.getvalue()


PHOTO, LIST = GOOD["TIFF 8"], np.array([[1, 2]])
SETS: dict[str, dict[str, bytes]] = {
    "selfie, mat": {"selfie/images_data_crop/00001.jpg": PHOTO, "selfie/images_mask/00001_mask.mat": mat(mask=MASK),
                    "selfie/trainlist.mat": mat(trainlist=LIST), "selfie/testlist.mat": plain_mat(testlist=LIST + 2)},
    "selfie, text": {"EG1800/Images/00001.png": PHOTO, "EG1800/Labels/00001.png": GOOD["PNG 16 grey"],
                     "EG1800/eg1800_train.txt": b"00001.png\n00002.png\n", "EG1800/eg1800_test.txt": b"00003.png\n"},
    "ccp": {"ccp/photos/0001.jpg": PHOTO, "ccp/photos/0002.jpg": PHOTO,
            "ccp/annotations/pixel-level/0001.mat": plain_mat(groundtruth=MASK),
            "ccp/annotations/pixel-level/0002.mat": mat(groundtruth=MASK.astype(float).astype(np.uint16)),
            "ccp/splits.csv": b"id,split\n0001,train\n0002,val\n"},
    "diw": {"DIW_test/a.thumb": PHOTO, "a.csv": b"./DIW_test/a.thumb\n3,4,20,30,>,32,24\n"},
    "diw, re-packed": {"DIW_test/a.thumb": PHOTO,
                       "a.csv": b"path,x,n_point\n./DIW_test/a.thumb,0,2\n3,4,20,30,>,32,24\n5,6,7,8,<,32,24\n"},
    "folder": {"images/a.jpg": PHOTO, "masks/a_mask.npy": npy(MASK), "masks/a_depth.npy": npy(MASK / 3)},
}


def opened(kind: str, root: Path) -> list[Item]:
    """All items of a data set."""
    if kind.startswith("selfie"):
        return [*selfie("train", root=root), *selfie("unlisted", root=root)]
    if kind == "ccp":
        return [*ccp("train", root=root), *ccp("val", root=root)]
    if kind == "folder":
        return list(folder(root / "images", root / "masks", suffix="_mask", depths=root / "masks",
                           depth_suffix="_depth", larger_is="nearer"))
    return list(diw(root / "a.csv", sign=1))


def laid_out(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


@pytest.mark.parametrize("kind", SETS)
def test_the_sets_are_good_before_they_are_spoilt(tmp_path, kind):
    laid_out(tmp_path, SETS[kind])
    if kind.startswith("selfie"):
        assert len(selfie("train", root=tmp_path)) == 1
    else:
        assert opened(kind, tmp_path)


@fuzz(80)
@given(st.data())
def test_a_spoilt_data_set(tmp_path, data):
    kind = data.draw(st.sampled_from(sorted(SETS)))
    files = dict(SETS[kind])
    spoilt = data.draw(st.sampled_from(sorted(files)))
    other = data.draw(st.sampled_from([mat(mask=MASK), PHOTO, b"a,b,c\n" * 20, bytes(200)]))
    files[spoilt] = data.draw(damaged(files[spoilt], other))
    if data.draw(st.integers(0, 7)) == 0:
        del files[data.draw(st.sampled_from(sorted(files)))]
    root = tmp_path / str(data.draw(st.integers(0, 10**9)))
    laid_out(root, files)
    found = outcome(f"data set {kind}, {Path(spoilt).suffix} spoilt", lambda: opened(kind, root), DataError)
    assert isinstance(found, DataError) or all(isinstance(item, Item) for item in found)


LINES = st.lists(st.one_of(
    st.sampled_from(["./DIW_test/a.thumb", "./DIW_test/a.thumb,0,1", "3,4,20,30,>,32,24", "path,x,n_point", "",
                     ",,,,,,", "nan,4,20,30,>,32,24", "1e400,4,2,3,<,32,24",
                     "3,4,20,30,>,0,24", "a.thumb,0,999999", "..",
                     "/", "3,4,20,30,=,32,24", "3,4,20,30,>,99999999999999999999,24", "\0", "DIW_test"]),
    st.text(max_size=30)), max_size=8)


@fuzz(30)
@given(lines=LINES)
def test_an_invented_annotation_file(tmp_path, lines):
    laid_out(tmp_path, {"DIW_test/a.thumb": PHOTO})
    (tmp_path / "a.csv").write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    outcome("DIW annotations, invented", lambda: opened("diw", tmp_path), DataError)


PAIR = Pair(GOOD_RGB := np.zeros((4, 6, 3), np.uint8), GOOD_RGB, np.ones((4, 6), np.uint8), np.ones((4, 6), np.float16))
SCENE = pack_arrays(image=GOOD_RGB, mask=np.ones((4, 6), bool), depth=np.ones((4, 6), np.float32),
                    pairs=np.array([[0, 0, 1, 1, 1]]))


@st.composite
def invented_arrays(draw, names):
    """A .npz of arrays that nobody wrote: other shapes, kinds of numbers, names, objects."""
    shapes = st.sampled_from([(4, 6), (4, 6, 3), (0,), (), (1, 5), (4, 6, 3, 1), (2, 0)])
    kinds = st.sampled_from(["u1", "f2", "f4", "i8", "?", "c8", "U3", "M8[s]"])
    arrays = {name: np.zeros(draw(shapes), draw(kinds)) for name in names if draw(st.integers(0, 9))}
    return pack_arrays(**arrays)


@fuzz(30)
@given(st.data())
def test_a_spoilt_pair_or_scene_is_none_and_will_be_made_anew(tmp_path, data):
    file = tmp_path / "a.npz"
    if data.draw(st.booleans()):
        good = pack_arrays(**vars(PAIR))
        names = ("image", "result", "mask", "radius")
        file.write_bytes(data.draw(st.one_of(damaged(good, SCENE), invented_arrays(names))))
        pair = outcome("kept pair", lambda: read_pair(file))
        assert pair is None or pair.arrays()[0].shape == (*pair.mask.shape, 3)
    else:
        names = ("image", "mask", "depth", "pairs")
        file.write_bytes(data.draw(st.one_of(damaged(SCENE), invented_arrays(names))))
        item = outcome("kept scene", lambda: _load(file, (4, 6), "a"))
        assert item is None or item.shape == (4, 6)
