# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's tables are what the files say, and everything it names is there."""

from __future__ import annotations

import json
import re

import pytest

from dofkit import cli, readme
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


def test_the_command_writes_the_file(root, tmp_path, monkeypatch, capsys):
    text = (root / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(re.sub(r"\| `dofkit\.read_photo`.*\n", "", text), encoding="utf-8")
    monkeypatch.setattr("dofkit.manifest.checkout", lambda: tmp_path)
    monkeypatch.setattr(readme, "TABLES", {name: lambda _, made=made: made(root) for name, made in TABLES.items()})
    assert cli.main(["readme"]) == 0
    assert str(tmp_path) in capsys.readouterr().out
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
