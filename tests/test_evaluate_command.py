# SPDX-License-Identifier: GPL-3.0-or-later
"""`dofkit evaluate` on any folder: means, counts, failures, and one line for what cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dofkit import cli, depth, segmentation
from dofkit.datasets import scenes
from dofkit.depth import Depth
from dofkit.maps import write_map
from dofkit.metrics import body_spread
from dofkit.photo import write_photo
from dofkit.segmentation import Segmentation


def by_light(image: np.ndarray) -> Segmentation:
    """Refined: where it is bright; coarse: everything."""
    bright = (image[..., 0] > 0.5).astype(np.float32)
    return Segmentation(bright, np.ones_like(bright), "found")


@pytest.fixture
def street(tmp_path, monkeypatch):
    """images/ and masks/ with two pairs of which one mask is half right, and a network that sees light alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(segmentation, "segmenter", lambda coarse: by_light)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for name, bright, true in (("a", slice(0, 10), slice(0, 10)), ("b", slice(0, 10), slice(0, 20))):
        image, mask = np.zeros((40, 30, 3), np.float32), np.zeros((40, 30), np.float32)
        image[bright], mask[true] = 1, 1
        write_photo(tmp_path / "images" / f"{name}.png", image)
        write_map(tmp_path / "masks" / f"{name}.png", mask, bits=8)
    return tmp_path


FOLDERS = ("--images", "images", "--masks", "masks")


def call(*arguments: str) -> int:
    try:
        return cli.main(["evaluate", "segmentation", *arguments])
    except SystemExit as end:
        return int(end.code or 0)


def test_json_holds_means_counts_and_failures(street, capsys):
    """Refined: 1 and 10 of 20 rows. Coarse: 10 and 20 of 40."""
    assert call(*FOLDERS, "--json") == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert list(report) == ["photographs", "coarse", "refined", "failures"]
    assert (report["photographs"], report["failures"], said.err) == (2, [], "")
    assert report["refined"]["iou"] == 0.75
    assert report["coarse"]["iou"] == 0.375
    # bands of 10 rows around the edge: the whole is right in 5; in b, where 5 true rows are missed, none is right
    assert report["refined"]["iou_near_boundary"] == 0.5
    assert report["coarse"]["iou_near_boundary"] == 0.5


def test_people_get_lines(street, capsys):
    assert call(*FOLDERS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "2 photographs, 0 failures",
        "coarse   IoU  37.50 %   within 5 px of the boundary  50.00 %",
        "refined  IoU  75.00 %   within 5 px of the boundary  50.00 %",
    ]


def test_failures_are_counted_and_named(street, capsys):
    for name in ("c", "d", "e"):
        write_photo(street / "images" / f"{name}.png", np.zeros((40, 30, 3), np.float32))
        write_map(street / "masks" / f"{name}.png", np.eye(40, 30, dtype=np.float32), bits=8, force=True)
    (street / "images" / "c.png").write_bytes(b"no picture")
    write_map(street / "masks" / "d.png", np.eye(41, 30, dtype=np.float32), bits=8, force=True)
    (street / "masks" / "e.png").write_bytes((street / "masks" / "e.png").read_bytes()[:60])
    assert call(*FOLDERS, "--json") == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["photographs"] == 2 and report["refined"]["iou"] == 0.75
    assert [failure["name"] for failure in report["failures"]] == ["c", "d", "e"]
    assert "c.png" in report["failures"][0]["reason"]
    assert "30 x 41" in report["failures"][1]["reason"] and "30 x 40" in report["failures"][1]["reason"]
    assert "e.png" in report["failures"][2]["reason"]
    lines = said.err.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["left out c", "left out d", "left out e"]


def test_masks_without_a_boundary(street, capsys):
    for name in ("a", "b"):
        write_map(street / "masks" / f"{name}.png", np.zeros((40, 30), np.float32), bits=8, force=True)
    assert call(*FOLDERS, "--json") == 0
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)  # NaN is no JSON
    assert report["refined"] == {"iou": 0.0, "iou_near_boundary": None}
    assert call(*FOLDERS) == 0
    assert capsys.readouterr().out.splitlines()[2].endswith("boundary   none")


def test_names_with_a_suffix_and_files_of_labels(street, capsys):
    for name in ("a", "b"):
        mask = np.zeros((40, 30), np.uint8)
        mask[:10] = 7
        write_map(street / "images" / f"{name}_labels.png", mask, bits=8, force=True)
    here = ("--images", "images", "--masks", "images", "--mask-suffix", "_labels")
    assert call(*here, "--threshold", "0", "--json") == 0
    assert json.loads(capsys.readouterr().out)["refined"]["iou"] == 1
    assert call(*here) == 2
    assert "for a file of label numbers pass threshold=0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--images", "nowhere", "--masks", "masks"), "no folder nowhere"),
        (("--images", "images", "--masks", "nowhere"), "no folder nowhere"),
        (("--images", "masks", "--masks", "images", "--mask-suffix", "_m"), "no mask in images"),
        (("--images", "images"), "required: --masks"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(street, capsys, arguments, message):
    assert call(*arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.err.count("\n"), said.out) == (1, "")


def test_if_all_are_broken_the_first_reason_is_given(street, capsys):
    for path in (street / "images").iterdir():
        path.write_bytes(b"")
    assert call(*FOLDERS, "--json") == 2
    said = capsys.readouterr()
    assert said.err.startswith("dofkit: folder images: not one photograph could be evaluated; a: ")
    assert (said.err.count("\n"), said.out) == (1, "")


def test_a_guess_there_is_not(street, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.chdir(street)
    assert call(*FOLDERS, "--coarse", "nonsense") == 2
    assert capsys.readouterr().err == (
        "dofkit: no coarse guess is called 'nonsense': choose network, graphcut or transformers:MODEL\n")


def test_the_shipped_networks_on_a_folder(tmp_path, capsys):
    for name, item in zip("ab", scenes(2, split="test", kind="selfie", size=(224, 160)), strict=True):
        write_photo(tmp_path / f"{name}.png", item.image)
        write_map(tmp_path / f"{name}_mask.png", item.mask, bits=8, force=True)
    here = str(tmp_path)
    assert call("--images", here, "--masks", here, "--mask-suffix", "_mask", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["photographs"] == 2
    assert report["refined"]["iou"] > 0.85


# depth


def to_the_right(image: np.ndarray, mask: np.ndarray) -> Depth:
    """Refined: farther to the right; coarse: farther to the left."""
    ramp = np.broadcast_to(np.arange(image.shape[1], dtype=np.float32), image.shape[:2])
    return Depth(ramp, -ramp, "found")


def ask(*arguments: str) -> int:
    try:
        return cli.main(["evaluate", *arguments])
    except SystemExit as end:
        return int(end.code or 0)


@pytest.fixture
def ramps(tmp_path, monkeypatch):
    """Two photographs with disparities that grow to the left, and bodies; a network that always says so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(depth, "estimator", lambda coarse: to_the_right)
    for name in ("images", "depths", "masks"):
        (tmp_path / name).mkdir()
    for name in "ab":
        write_photo(tmp_path / "images" / f"{name}.png", np.zeros((40, 30, 3), np.float32))
        write_map(tmp_path / "depths" / f"{name}.png", np.linspace(1, 0, 30)[None].repeat(40, 0))
        write_map(tmp_path / "masks" / f"{name}.png", np.eye(40, 30), bits=8)
    return tmp_path


MAPS = ("depth", "--images", "images", "--depths", "depths")


def test_depth_maps_of_either_kind(ramps, capsys):
    for larger, right, wrong in (("nearer", "refined", "coarse"), ("farther", "coarse", "refined")):
        assert ask(*MAPS, "--larger-is", larger, "--json") == 0
        report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
        assert list(report) == ["photographs", "lower is nearer", "coarse", "refined", "failures"]
        assert (report["photographs"], report[right]["whdr"], report[wrong]["whdr"]) == (2, 0, 1)
        assert report["refined"]["spread"] is None
    assert ask(*MAPS) == 2
    assert "required: --larger-is" in capsys.readouterr().err


def test_depth_lines_with_masks(ramps, capsys):
    assert ask(*MAPS, "--masks", "masks", "--larger-is", "nearer") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 photographs, 0 failures"
    assert [line[:15].strip() for line in lines[1:]] == ["lower is nearer", "coarse", "refined"]
    spread = 100 * body_spread(np.arange(30.0)[None].repeat(40, 0), np.eye(40, 30))
    assert lines[3] == f"refined         WHDR   0.00 %   spread over the body {spread:6.2f} % of the range"


def test_a_depth_map_that_is_none(ramps, capsys):
    write_photo(ramps / "depths" / "a.png", np.random.default_rng(0).random((40, 30, 3), np.float32), force=True)
    assert ask(*MAPS, "--larger-is", "nearer", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["photographs"] == 1
    assert said.err.startswith("dofkit: left out a: ") and "colour picture" in said.err
    assert ask("depth", "--images", "images", "--depths", "masks", "--depth-suffix", "_d", "--larger-is", "nearer") == 2
    assert "no depth in masks" in capsys.readouterr().err


def test_depth_in_the_wild(ramps, capsys):
    """Of three points to the right of others, two are labelled farther: the refined depth is wrong once."""
    for name in ("c", "d", "e"):
        write_photo(ramps / f"{name}.png", np.zeros((40, 30, 3), np.float32))
    right, left = "5,20,9,10,>,30,40", "5,20,9,10,<,30,40"
    lines = [f"./{name}.png\n{line}\n" for name, line in zip("cde", (right, right, left), strict=True)]
    (ramps / "diw.csv").write_text("".join(lines))
    for more, wrong in (((), 1 / 3), (("--greater-is", "nearer"), 2 / 3)):
        assert ask("diw", "diw.csv", *more, "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert report["photographs"] == 3
        assert report["refined"]["whdr"] == pytest.approx(wrong, abs=1e-4)
        assert report["coarse"]["whdr"] == pytest.approx(1 - wrong, abs=1e-4)
    assert ask("diw", "diw.csv") == 0
    assert capsys.readouterr().out.splitlines()[3] == "refined         WHDR  33.33 %"
    assert ask("diw", "none.csv") == 2
    assert "there is no file none.csv" in capsys.readouterr().err
    assert ask("diw", "diw.csv", "--images", "masks") == 2
    assert "none of its 3 images is in masks" in capsys.readouterr().err


def test_a_coarse_depth_there_is_not(ramps, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.chdir(ramps)
    assert ask(*MAPS, "--larger-is", "nearer", "--coarse", "graphcut") == 2
    assert capsys.readouterr().err == (
        "dofkit: no coarse depth is called 'graphcut': choose network, prior or transformers:MODEL\n")
