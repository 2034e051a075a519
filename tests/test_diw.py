# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dofkit.datasets import DataError, diw
from dofkit.photo import write_photo

OWN = "./DIW_test/{0}.thumb\n{1}\n"
PAIRS = ("1,1,8,6,>,6,8", "2,3,4,5,<,6,8")


def image(base: Path, name: str, size: tuple[int, int] = (8, 6)) -> None:
    (base / "DIW_test").mkdir(exist_ok=True)
    made = write_photo(base / "DIW_test" / f"{name}.jpg", np.full((*size, 3), 0.5, np.float32))
    made.rename(made.with_suffix(".thumb"))


def annotations(base: Path, text: str) -> Path:
    path = base / "DIW_test.csv"
    path.write_text(text)
    return path


def test_own_format_and_both_signs(tmp_path):
    for name in "ab":
        image(tmp_path, name)
    text = OWN.format("a", PAIRS[0]) + OWN.format("gone", PAIRS[0]) + OWN.format("b", PAIRS[1])
    path = annotations(tmp_path, text)
    data = diw(path, sign=+1)
    assert data.counts == {"listed": 3, "without a file": 1, "pairs": 2}
    assert [item.name for item in data] == ["a", "b"]
    assert [item.pairs.tolist() for item in data] == [[[0, 0, 7, 5, 1]], [[1, 2, 3, 4, -1]]]
    assert [item.pairs[0, 4] for item in diw(path, sign=-1)] == [-1, 1]
    assert data[0].mask is None
    with pytest.raises(TypeError, match="sign"):
        diw(path)
    with pytest.raises(ValueError, match="sign"):
        diw(path, sign=0)


def test_repacked_format_with_a_header_and_several_pairs(tmp_path):
    image(tmp_path, "a")
    image(tmp_path, "b")
    path = annotations(tmp_path, "path,x,n_point\n./DIW_test/a.thumb,0,2\n" + "\n".join(PAIRS)
                       + f"\n./DIW_test/b.thumb,0,1\n{PAIRS[1]}\n")
    data = diw(path, sign=+1)
    assert [len(item.pairs) for item in data] == [2, 1]
    assert data.counts["pairs"] == 3


def test_images_elsewhere(tmp_path):
    (tmp_path / "far away").mkdir()
    image(tmp_path / "far away", "a")
    path = annotations(tmp_path, OWN.format("a", PAIRS[0]))
    with pytest.raises(DataError, match="none of its 1 images"):
        diw(path, sign=1)
    assert len(diw(path, sign=1, images=tmp_path / "far away")) == 1


def test_points_are_scaled_to_a_resized_copy_and_dropped_where_they_meet(tmp_path):
    image(tmp_path, "a", size=(4, 3))
    lines = "header", "./DIW_test/a.thumb,0,3", "1,1,8,6,>,6,8", "3,3,4,4,>,6,8", "7,5,8,6,<,6,8"
    path = annotations(tmp_path, "\n".join(lines))
    assert diw(path, sign=1)[0].pairs.tolist() == [[0, 0, 3, 2, 1]]


def test_points_fall_on_the_middle_of_an_enlarged_pixel(tmp_path):
    image(tmp_path, "a", size=(24, 18))
    path = annotations(tmp_path, OWN.format("a", "1,2,8,6,>,6,8"))
    assert diw(path, sign=1)[0].pairs.tolist() == [[1, 4, 22, 16, 1]]


def test_swapped_width_and_height_are_no_resize(tmp_path):
    image(tmp_path, "a")
    path = annotations(tmp_path, OWN.format("a", "1,1,8,6,>,8,6"))
    assert diw(path, sign=1)[0].pairs.tolist() == [[0, 0, 7, 5, 1]]


@pytest.mark.parametrize(("text", "message"), [
    ("./a.thumb\n1,1,2,2,=,6,8\n", "line 2"), ("./a.thumb\n1,1,2,2,>,6\n", "line 2"),
    ("./a.thumb\n1,x,2,2,>,6,8\n", "line 2"), ("./a.thumb\n0,1,2,2,>,6,8\n", "line 2"),
    ("./a.thumb\n1,1,2,99,>,6,8\n", "line 2"), ("./a.thumb\n1,1,2,nan,>,6,8\n", "line 2"),
    ("./a.thumb\n1,1,2,2,>,6,8\n./b.thumb\n", "cut short"),
    ("h\n./a.thumb,0,2\n1,1,2,2,>,6,8\n", "cut short"),
    ("h\n./a.thumb,0,2\n1,1,2,2,>,6,8\n./b.thumb,0,1\n", "line 4"), ("h\n./a.thumb,0,0\n", "line 2"),
    ("", "none of its 0")])
def test_a_malformed_file_is_one_error_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        diw(annotations(tmp_path, text), sign=1)


def test_broken_image_and_missing_file(tmp_path):
    image(tmp_path, "a")
    (tmp_path / "DIW_test" / "a.thumb").write_bytes(b"no jpeg")
    data = diw(annotations(tmp_path, OWN.format("a", PAIRS[0])), sign=1)
    with pytest.raises(DataError, match=r"a\.thumb"):
        data[0]
    with pytest.raises(DataError, match="there is no file"):
        diw(tmp_path / "DIW_train.csv", sign=1)
    path = tmp_path / "DIW_test.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="text"):
        diw(path, sign=1)


odd = st.sampled_from(["<", ">", "./DIW_test/a.thumb", "", "1e999", "9" * 5000])
fields = st.one_of(st.integers(-2, 10).map(str), odd, st.text("0123456789<>,./ab\0", max_size=8))
lines = st.one_of(st.sampled_from(["./DIW_test/a.thumb", "./DIW_test/a.thumb,0,2", *PAIRS]),
                  st.lists(fields, max_size=8).map(",".join))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(lines, max_size=8))
def test_any_text_gives_items_or_one_error(tmp_path, text):
    if not (tmp_path / "DIW_test").exists():
        image(tmp_path, "a")
    with contextlib.suppress(DataError):
        for item in diw(annotations(tmp_path, "\n".join(text)), sign=1):
            assert item.pairs.shape[1] == 5
