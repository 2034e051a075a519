# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims: verdicts by rule, the page is that of the files, and every claim of the paper is on it."""

import json
import re

import pytest

from dofkit import claims, cli, paper
from dofkit.claims import VERDICTS, Finding, claims_page, statements, verdict
from dofkit.manifest import read_manifest


@pytest.mark.parametrize(("difference", "spread", "said"), [
    (1.0, 0.0, "holds in kind"), (1.0, 1.0, "undecided"), (-0.5, 1.0, "undecided"), (0.0, 0.0, "undecided"),
    (-1.0, 0.0, "does not hold here"), (-2.0, 1.0, "does not hold here"),
])
def test_a_verdict_follows_from_difference_and_spread(difference, spread, said):
    assert verdict(Finding("", "", difference, spread)) == said


def test_the_committed_page_is_that_of_the_committed_files(root):
    assert (root / "figures" / "CLAIMS.md").read_text(encoding="utf-8") == claims_page(root / "figures"), (
        "run `dofkit claims`")


def test_the_page_counts_its_rows(root):
    page = claims_page(root / "figures")
    rows = [line.split(" | ")[-1].rstrip(" |") for line in page.splitlines() if line.startswith("| ")][2:]
    assert set(rows) <= set(VERDICTS)
    for name, of_several in VERDICTS.items():
        told = re.search(rf"(\d+) ({name}|{of_several})[,.]", page)
        assert rows.count(name) == (int(told[1]) if told else 0)


def test_no_cell_of_the_ablation_is_left_out(root):
    cells = json.loads((root / "figures" / "ablation.json").read_text())["cells"]
    measured = [(gain["argued by"], gain["verdict"]) for source in cells for cell in cells[source].values()
                for gain in cell["gains"].values()]
    said = [verdict(one.find()) for one in statements(root / "figures") if "against a lens" in _on(one)]
    same = {"holds": "holds in kind", "undecided": "undecided", "fails": "does not hold here"}
    assert sorted(said) == sorted(same[each] for _, each in measured)


def test_a_page_says_how_many_trainings_and_which_rival_is_narrowed(root):
    rows = {one.sentence: _on(one) for one in statements(root / "figures") if one.section == "4.5"}
    assert all("training" in on for sentence, on in rows.items() if "SSIM" in sentence or "PSNR" in sentence)
    assert ["[31]" in sentence for sentence in rows] == ["narrowed" in on for on in rows.values()]


def _on(statement):
    return statement.find().on if statement.find else ""


def test_every_claim_that_the_paper_module_knows_has_its_section(root):
    sections = {statement.section for statement in statements(root / "figures")}
    assert {claim.section for claim in paper.CLAIMS} <= sections
    assert {item.paper for item in read_manifest().values() if item.kind == "claim"} <= sections


def test_a_number_that_the_text_gives_to_no_training_says_so(root):
    order = [s.reported for s in statements(root / "figures") if str(paper.WHDR_SPN.value) in s.reported]
    assert len(order) == 2
    assert all("with or without Eq. 3 is not said" in reported for reported in order)


def test_what_cannot_be_tested_says_why(root):
    for statement in statements(root / "figures"):
        assert (statement.find is None) == bool(statement.why)


def test_a_changed_number_changes_the_verdict(root, monkeypatch):
    found = json.loads((root / "dofkit" / "weights" / "filter.json").read_text())
    lead = found["test"]["photographs"]["liu"]["lead of rnn"]["psnr"]
    said = {}
    for sign in (1, -1):
        lead |= {"mean": sign * 5.0, "deviation": 1.0}
        monkeypatch.setattr(claims, "read_results", lambda name: found)
        said[sign] = verdict(claims._Files(root / "figures").filters("liu", "psnr"))
    assert said == {1: "holds in kind", -1: "does not hold here"}


def test_the_command_writes_where_the_figures_are(root, tmp_path, monkeypatch, capsys):
    for name in ("ablation", "benchmarks", "fig03_guided_kernel", "kit_layer_solvers"):
        (tmp_path / f"{name}.json").write_bytes((root / "figures" / f"{name}.json").read_bytes())
    monkeypatch.setenv("DOFKIT_FIGURES", str(tmp_path))
    assert cli.main(["claims"]) == 0
    assert str(tmp_path) in capsys.readouterr().out
    assert (tmp_path / "CLAIMS.md").read_text() == (root / "figures" / "CLAIMS.md").read_text()
