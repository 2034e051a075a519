# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebook 08 in the browser: a subject takes the study, by mouse and by keyboard, and comes back to it."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Reader, Server, shades

pytestmark = pytest.mark.browser

NAME = "Ada"
PICTURES = 12
PAUSE = 400
"""Milliseconds between two answers: a click within 250 is the second half of a double click."""


@pytest.fixture(scope="module")
def notebook(reader, root: Path) -> Reader:
    return reader(root / "notebooks" / "08_read_the_user_study.ipynb")


def page_of(notebook: Reader) -> Locator:
    return notebook.page.locator(".jp-OutputArea .widget-vbox")


def kept(server: Server) -> list[dict[str, str]]:
    """The answers in the file."""
    [file] = (server.folder.parent / "studies").glob("study-*/answers.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_subject_takes_the_study(notebook, server):
    study = page_of(notebook)
    begin, name = study.get_by_role("button", name="begin"), study.get_by_role("textbox")
    notebook.shoot("08_welcome", study)
    begin.click()
    expect(study).to_contain_text("This did not work")
    notebook.shoot("08_no_name", study)
    name.fill(NAME)
    begin.click()

    picture = study.locator("img")
    expect(study).to_contain_text(f"1 of {PICTURES}")
    real, computer = study.get_by_role("button").all()
    notebook.shoot("08_first_picture", study)
    seen = [shades(picture)]
    answers = (lambda: real.dblclick(), lambda: computer.press("Enter"), lambda: real.press("Space"))
    for number, answer in enumerate(answers, 2):
        notebook.page.wait_for_timeout(PAUSE)
        answer()
        expect(study).to_contain_text(f"{number} of {PICTURES}")
        seen.append(shades(picture))
    assert all(one != other for one, other in pairwise(seen))
    assert [row["answer"] for row in kept(server)] == ["real", "computer", "real"]
    assert {row["subject"] for row in kept(server)} == {NAME}
    expect(study).not_to_contain_text("This did not work")
    notebook.shoot("08_fourth_picture", study)

    notebook.run_cell("page = take_study")  # as somebody who comes back
    name.fill(NAME)
    begin.click()
    for number in range(len(answers) + 1, PICTURES + 1):
        expect(study).to_contain_text(f"{number} of {PICTURES}")
        notebook.page.wait_for_timeout(PAUSE)
        computer.click()
    expect(study).to_contain_text(f"Thank you, {NAME}")
    assert len({row["picture"] for row in kept(server)}) == len(kept(server)) == PICTURES
    notebook.shoot("08_thanks", study)

    notebook.run_cell("mine = read_report")
    result = notebook.output_of("mine = read_report")
    expect(result).not_to_contain_text("No result:")
    expect(result.locator("img")).to_have_count(1)
    notebook.shoot("08_result", result)
