# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: a picture or one line, and never half a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import dofkit
from dofkit import cli, manifest
from dofkit.commands import render as command
from dofkit.maps import read_map, write_map
from dofkit.photo import read_photo, write_photo
from dofkit.pipeline import STAGES, PortraitMode


@pytest.fixture
def scene(tmp_path, monkeypatch) -> Path:
    """A folder with a photograph, a mask and a depth, as the current one."""
    rng = np.random.default_rng(3)
    image = rng.random((96, 64, 3)).astype(np.float32)
    y, x = np.mgrid[:96, :64]
    mask = (((y - 52) / 38) ** 2 + ((x - 32) / 14) ** 2 < 1).astype(np.float32)
    write_photo(tmp_path / "me.png", image)
    write_map(tmp_path / "mask.png", mask, bits=8)
    write_map(tmp_path / "depth.png", np.float32(1 - y / 95), bits=16)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> int:
    """The exit code, also where argparse ends the process."""
    try:
        return cli.main(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)


GIVEN = ("--mask", "mask.png", "--depth", "depth.png")


def test_a_photograph_goes_in_a_portrait_comes_out(scene, capsys):
    assert call("render", "me.png", "-o", "out.png", *GIVEN, "--mode", "whole-body") == 0
    before, after, inside = (
        read_photo("me.png").image,
        read_photo("out.png").image,
        read_map("mask.png") > 0.5,
    )
    assert after.shape == before.shape
    background = ~inside
    assert after[background].std() < before[background].std()
    assert after[45:60, 28:36] == pytest.approx(before[45:60, 28:36], abs=0.5 / 255)
    assert capsys.readouterr().out == ""


def test_json_says_sizes_times_and_files(scene, capsys):
    saved = [f"--save-{name}={name}.tif" for name in command.MAPS]
    assert call("render", "me.png", "-o", "out.jpg", *GIVEN, "--layers", "4", "--json", *saved) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["width"], report["height"], report["mode"]) == (64, 96, "whole-body")
    assert set(report["seconds"]) == {"read", *STAGES, "write"}
    assert report["layers"] == len(report["radii"]) == 4
    assert report["written"] == ["out.jpg", "mask.tif", "alpha.tif", "depth.tif", "labels.tif"]
    for name in report["written"]:
        assert Path(name).is_file()


def test_maps_are_saved_as_they_are(scene):
    saved = [f"--save-{name}=saved_{name}.png" for name in command.MAPS]
    assert call("render", "me.png", "-o", "out.png", *GIVEN, *saved) == 0
    assert np.array_equal(read_map("saved_mask.png"), read_map("mask.png"))
    assert read_map("saved_depth.png") == pytest.approx(read_map("depth.png"), abs=1e-4)
    from PIL import Image

    labels = np.asarray(Image.open("saved_labels.png"))
    assert labels.dtype == np.uint8
    assert labels[0].min() == labels.max() == 5  # the top is farthest


def test_depth_can_be_given_the_other_way_round(scene):
    write_map("near.png", 1 - read_map("depth.png"), bits=16)
    turned = ("--mask", "mask.png", "--depth", "near.png", "--depth-larger-is")
    assert call("render", "me.png", "-o", "a.png", *GIVEN, "--save-depth", "da.png") == 0
    assert call("render", "me.png", "-o", "b.png", *turned, "nearer", "--save-depth", "db.png") == 0
    assert call("render", "me.png", "-o", "c.png", *turned, "farther", "--save-depth", "dc.png") == 0
    a, b, c = (read_photo(name).image for name in ("a.png", "b.png", "c.png"))
    assert read_map("db.png") == pytest.approx(read_map("da.png"), abs=1e-4)
    assert read_map("dc.png") == pytest.approx(1 - read_map("da.png"), abs=1e-4)
    assert np.abs(a - b).mean() < 0.3 * np.abs(a - c).mean()


def test_sixteen_bits_and_opacity_stay(scene):
    image = np.random.default_rng(0).random((96, 64, 3))
    opacity = np.tile(np.linspace(0, 1, 64), (96, 1))
    write_photo("deep.png", image, bits=16, opacity=opacity)
    assert call("render", "deep.png", "-o", "out.png", *GIVEN) == 0
    result = read_photo("out.png")
    assert result.bits == 16
    assert result.opacity == pytest.approx(opacity, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody.png", "-o", "out.png"), "there is no file 'nobody.png'"),
        (("mask.txt", "-o", "out.png"), "mask.txt"),
        (("me.png", "-o", "out.gif"), "suffix '.gif'"),
        (("me.png", "-o", "no/out.png"), "there is no folder 'no'"),
        (("me.png", "-o", "me.png"), "'me.png' exists already"),
        (("me.png", "-o", "me.png", "--force"), "me.png is both input and output"),
        (("me.png", "-o", "out.png", "--save-mask", "out.png"), "out.png is named for two outputs"),
        (
            ("me.png", "-o", "out.png", "--save-mask", "mask.png", "--mask", "mask.png"),
            "'mask.png' exists already",
        ),
        (("me.png", "-o", "out.png", "--save-depth", "out.jpg"), "suffix '.jpg'"),
        (("me.png", "-o", "out.png", "--layers", "0"), "number of layers is 0"),
        (("me.png", "-o", "out.png", "--max-radius", "nan"), "radius is nan"),
        (("me.png", "-o", "out.png", "--look", "lens", "--focus", "100"), "--focus: '100' is no pixel: give X,Y"),
        (("me.png", "-o", "out.png", "--look", "lens", "--focus", "a,b"), "--focus: 'a,b' is no pixel: give X,Y"),
        (("me.png", "-o", "out.png", "--mode", "cat"), "invalid choice: 'cat'"),
        (("me.png", "-o", "out.png", "--depth", "empty.png"), "empty"),
        (("me.png",), "required: -o/--output"),
        ((), "required: "),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(scene, capsys, arguments, message):
    Path("mask.txt").write_text("not a picture")
    Path("empty.png").write_bytes(b"")
    there = {path.name: path.read_bytes() for path in scene.iterdir()}
    assert call("render", *arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("dofkit: ")
    assert (said.err.count("\n"), said.out) == (1, "")
    assert {path.name: path.read_bytes() for path in scene.iterdir()} == there


def test_outputs_are_checked_before_any_work(scene, monkeypatch):
    monkeypatch.setattr(PortraitMode, "__call__", lambda *a, **k: pytest.fail("work began"))
    Path("alpha.png").write_bytes(b"precious")
    assert call("render", "me.png", "-o", "out.png", *GIVEN, "--save-alpha", "alpha.png") == 2
    assert Path("alpha.png").read_bytes() == b"precious"
    assert not Path("out.png").exists()


def test_force_overwrites(scene):
    Path("out.png").write_bytes(b"old")
    assert call("render", "me.png", "-o", "out.png", *GIVEN, "--force") == 0
    assert read_photo("out.png").image.shape == (96, 64, 3)


def test_nothing_is_written_when_there_are_no_layers_to_save(scene, capsys):
    selfie = ("--mask", "mask.png", "--mode", "selfie")
    assert call("render", "me.png", "-o", "out.png", *selfie, "--save-labels", "l.png") == 2
    assert "a selfie has no labels to save: use --mode whole-body" in capsys.readouterr().err
    assert not Path("out.png").exists()


def test_if_one_output_cannot_be_made_none_is_written(tmp_path, capsys):
    wide = np.random.default_rng(0).random((8, 17_000, 3)).astype(np.float32)
    write_photo(tmp_path / "wide.png", wide)
    person = np.zeros((8, 17_000), np.float32)
    person[:, 5000:9000] = 1
    write_map(tmp_path / "mask.png", person)
    before = sorted(tmp_path.iterdir())
    arguments = ["render", tmp_path / "wide.png", "--mask", tmp_path / "mask.png", "--mode", "selfie"]
    saved = ["-o", tmp_path / "out.webp", "--save-alpha", tmp_path / "alpha.png"]
    assert call(*map(str, arguments + saved)) == 2
    assert "holds at most 16383 px" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "dofkit: stopped\n"),
        (MemoryError(), 1, "dofkit: not enough memory: use a smaller picture\n"),
        (OSError(28, "No space left on device", "out.png"), 2, "dofkit: No space left on device: out.png\n"),
    ],
)
def test_an_interruption_leaves_nothing_behind(scene, capsys, monkeypatch, error, code, line):
    def interrupted(*_a, **_k):
        raise error

    before = sorted(scene.iterdir())
    monkeypatch.setattr(PortraitMode, "__call__", interrupted)
    assert call("render", "me.png", "-o", "out.png", *GIVEN) == code
    assert capsys.readouterr().err == line
    assert sorted(scene.iterdir()) == before


def test_a_fault_of_ours_is_not_taken_for_a_wrong_input(scene, monkeypatch):
    def faulty(*_a, **_k):
        raise ValueError("operands could not be broadcast")

    monkeypatch.setattr(PortraitMode, "__call__", faulty)
    with pytest.raises(ValueError, match="broadcast"):
        call("render", "me.png", "-o", "out.png", *GIVEN)


def test_the_bar_is_for_terminals(scene, capsys):
    with command.stage_bar(shown=False) as progress:
        assert progress is None
    with command.stage_bar(shown=True) as progress:
        for stage in STAGES:
            progress(stage)
    said = capsys.readouterr().err
    assert all(stage in said for stage in STAGES)
    assert call("render", "me.png", "-o", "out.png", *GIVEN) == 0
    assert capsys.readouterr().err == ""


def test_the_module_and_the_script_are_the_same_command(root):
    shown = subprocess.run(
        [sys.executable, "-m", "dofkit", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"dofkit {dofkit.__version__}\n"
    assert 'dofkit = "dofkit.cli:main"' in (root / "pyproject.toml").read_text(encoding="utf-8")


# reproduce


@pytest.fixture
def checkout(tmp_path, monkeypatch, figures) -> Path:
    """A checkout with one notebook that makes one figure, and one that fails."""
    good = (
        "import matplotlib.pyplot as plt\nfrom dofkit.figures import save_figure\n"
        "figure, _ = plt.subplots()\n"
        "told = dict(notebook='05_blur_with_guidance', profile=profile, seed=seed)\n"
        "save_figure(figure, 'fig03_guided_kernel', **told)"
    )
    for name, source in (("05_blur_with_guidance", good), ("06_learn_the_rnn_filter", "1 / 0")):
        cells = [
            new_code_cell("profile = 'quick'\nseed = 0", metadata={"tags": ["parameters"]}),
            new_code_cell(source),
        ]
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / f"{name}.ipynb")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "manifest.toml").write_text(
        '[[figure]]\nname = "fig03_guided_kernel"\ntitle = "t"\nnotebook = "05_blur_with_guidance"\n'
        'status = "reproduced"\n'
    )
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "dofkit" / "manifest.py"))
    return tmp_path


def test_reproduce_runs_what_is_asked_for_and_says_where_to_look(checkout, figures, capsys):
    assert call("reproduce", "--only", "fig03", "-p", "seed=7") == 0
    said = capsys.readouterr().out
    assert str(figures) in said
    assert "fig03_guided_kernel" in said
    assert str(checkout / "build" / "notebooks") in said
    assert json.loads((figures / "fig03_guided_kernel.json").read_text())["seed"] == 7
    assert not (checkout / "build" / "notebooks" / "06_learn_the_rnn_filter.ipynb").exists()


def test_reproduce_fails_when_a_notebook_does(checkout, capsys):
    assert call("reproduce", "--only", "06") == 1
    said = capsys.readouterr()
    assert "1 / 0" in said.err
    assert "FAILED 06_learn_the_rnn_filter" in said.out
    assert (checkout / "build" / "notebooks" / "06_learn_the_rnn_filter.ipynb").is_file()


def test_reproduce_updates_the_notebooks_on_request(checkout):
    path = checkout / "notebooks" / "05_blur_with_guidance.ipynb"
    assert call("reproduce", "--only", "05", "--update") == 0
    first = path.read_bytes()
    assert nbformat.read(path, 4).cells[1].execution_count == 2
    assert call("reproduce", "--only", "05", "--update") == 0
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "fig99"), "nothing is called 'fig99'"),
        (("-p", "colour=1"), "has no parameter 'colour'"),
        (("-p", "seed"), "parameter 'seed' is not of the form NAME=VALUE"),
        (("--data-root", "nowhere"), "--data-root nowhere is no folder"),
        (("--data-root", "."), "none of these notebooks has a parameter 'data_root'"),
        (("--time-limit", "0"), "the time limit is 0 s"),
        (("--workers", "0"), "--workers is 0: choose 1 or more"),
        (("--update", "--profile", "full"), "--update writes what a reader sees first"),
        (("--profile", "slow"), "invalid choice: 'slow'"),
    ],
)
def test_reproduce_refuses_before_anything_runs(checkout, capsys, monkeypatch, arguments, message):
    monkeypatch.setenv("DOFKIT_DATA", "unchanged")
    assert call("reproduce", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (checkout / "build").exists()


def test_reproduce_without_notebooks_says_so(checkout, capsys):
    for path in (checkout / "notebooks").iterdir():
        path.unlink()
    assert call("reproduce") == 2
    assert "there are no notebooks in" in capsys.readouterr().err


def test_parameters_are_numbers_paths_or_texts(tmp_path, monkeypatch):
    from dofkit.commands.reproduce import parse_parameter

    monkeypatch.chdir(tmp_path)
    (tmp_path / "me.jpg").write_bytes(b"")
    assert parse_parameter("photo=me.jpg") == ("photo", str(tmp_path / "me.jpg"))
    assert parse_parameter("photo=you.jpg") == ("photo", "you.jpg")
    assert parse_parameter("x=-1.5") == ("x", -1.5)
    assert parse_parameter("x=None") == ("x", None)
    assert parse_parameter("x=a=b") == ("x", "a=b")
