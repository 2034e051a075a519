# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's tables are what the files say, and everything it names is there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from skimage.data import astronaut

from dofkit import cli, readme
from dofkit.photo import write_photo
from dofkit.readme import API, TABLES, TOUR, ReadmeError, with_tables
from dofkit.reproduce import all_notebooks


def test_the_tables_are_those_of_the_files(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert with_tables(text, root) == text, "run `dofkit readme`"


def test_the_tour_has_every_notebook_with_its_time(root):
    times = json.loads((root / "figures" / "times.json").read_text(encoding="utf-8"))
    names = [path.stem for path in all_notebooks(root / "notebooks")]
    assert list(times["notebooks"]) == names
    assert sorted(TOUR) == [name[:2] for name in names]
    table = readme.tour(root)
    assert all(f"(notebooks/{name}.ipynb)" in table for name in names)


def test_a_changed_file_changes_the_table(root, tmp_path, monkeypatch):
    times = json.loads((root / "figures" / "times.json").read_text(encoding="utf-8"))
    times["notebooks"]["00_see_the_whole_pipeline"]["seconds"] = 4321.0
    for name in ("figures", "notebooks"):
        (tmp_path / name).mkdir()
    for path in all_notebooks(root / "notebooks"):
        (tmp_path / "notebooks" / path.name).symlink_to(path)
    (tmp_path / "figures" / "manifest.toml").symlink_to(root / "figures" / "manifest.toml")
    (tmp_path / "figures" / "times.json").write_text(json.dumps(times))
    assert "| 4321 |" in readme.tour(tmp_path)


def test_a_table_without_marks_is_one_error(root):
    with pytest.raises(ReadmeError, match=r"the README has no <!-- table: tour -->"):
        with_tables("# dofkit\n", root)


def test_reported_and_measured_are_columns_of_their_own(root):
    head = readme.results(root).splitlines()[0]
    assert "| reported | measured here |" in head


def test_every_name_of_the_api_says_what_it_is(root):
    rows = readme.api(root).splitlines()[2:]
    assert len(rows) == len(API) == len(set(API))
    assert all(re.fullmatch(r"\| `dofkit\.[\w.]+` \| \w.{10,} \|", row) for row in rows)


def test_links_lead_to_files(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (root / target).exists(), target


def commands(root: Path, name: str = "") -> list[list[str]]:
    """The arguments of every `dofkit` command line of the README, or of one subcommand."""
    text = (root / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    \.venv/bin/dofkit (.*)$", text, flags=re.MULTILINE)
    return [split for line in lines if (split := shlex.split(line, comments=True))[0].startswith(name)]


def test_its_commands_are_commands_and_none_meets_what_another_one_left(root):
    made = []
    for command in commands(root):
        named = vars(cli.build_parser().parse_args(command))  # ends the test if there is no such option
        if command[0] != "evaluate":  # which replaces its report
            made += [named[name] for name in ("output", "out", "save_mask", "save_depth") if named.get(name)]
    assert len(made) == len(set(made)) >= 10


def test_its_commands_need_nothing_activated(root):
    for name in ("README.md", "dofkit/recipes/SCALE.md"):
        text = (root / name).read_text(encoding="utf-8")
        assert re.findall(r"^    (?:dofkit|pip|dask|jupyter|python) .*", text, flags=re.MULTILINE) == []


def test_its_commands_on_a_photograph_run_one_after_the_other(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_photo("me.jpg", astronaut()[:300, :360].astype("float32") / 255)
    for command in commands(root, "render"):
        assert cli.main(command) == 0, command
    assert {path.name for path in tmp_path.iterdir()} >= {"me.jpg", "portrait.jpg", "mask.png", "depth.png", "f18.jpg"}


def test_the_command_writes_the_file(root, tmp_path, monkeypatch, capsys):
    text = (root / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(re.sub(r"\| `dofkit\.read_photo`.*\n", "", text), encoding="utf-8")
    monkeypatch.setattr("dofkit.manifest.checkout", lambda: tmp_path)
    monkeypatch.setattr(readme, "TABLES", {name: lambda _, made=made: made(root) for name, made in TABLES.items()})
    assert cli.main(["readme"]) == 0
    assert str(tmp_path) in capsys.readouterr().out
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
