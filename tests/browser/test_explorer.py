# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebook 09 in the browser: sliders, views, clicks and keys on the picture, files good and bad, and the result kept.

One page is open for all tests; each begins with what the one before has left, and looks at what changes.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from playwright.sync_api import FilePayload, Locator, expect
from skimage import data

from dofkit.photo import read_photo, write_photo
from tests.browser.lab import Reader, Server, difference, shades, wait_until

pytestmark = pytest.mark.browser

DONE = "computed anew"
WRONG = "This did not work"
VISIBLE = 0.1
"""Levels of 255, in the mean, by which a picture is another one."""


@pytest.fixture(scope="module")
def notebook(reader, root: Path) -> Reader:
    return reader(root / "notebooks" / "09_explore_your_photo.ipynb")


@pytest.fixture
def page(notebook: Reader) -> Locator:
    return notebook.output_of("explore_photo(read_photo")


@pytest.fixture
def picture(page: Locator) -> Locator:
    return page.locator(".dofkit-click img")


def row(page: Locator, label: str) -> Locator:
    """A control with its label."""
    return page.locator(".jupyter-widgets").filter(has=page.page.locator("> .widget-label", has_text=label))


def handle(page: Locator, label: str) -> Locator:
    return row(page, label).locator(".noUi-handle")


def percent(page: Locator, label: str) -> float:
    """What stands beside a slider."""
    return float(row(page, label).locator(".widget-readout").inner_text())


def becomes_another(picture: Locator, before: list[int]) -> None:
    wait_until(lambda: difference(before, shades(picture)) > VISIBLE, 20, "another picture", picture.page)


def upload(page: Locator, file: Path | FilePayload) -> None:
    with page.page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="upload").click()
    chooser.value.set_files(file)


def test_the_blur_follows_the_aperture(notebook, page, picture):
    expect(page).to_contain_text(DONE)
    notebook.shoot("09_as_it_opens", page)
    before = shades(picture)
    for _ in range(8):
        handle(page, "aperture").press("ArrowRight")
    becomes_another(picture, before)
    expect(page).to_contain_text(f"{DONE}: blur")
    notebook.shoot("09_wide_aperture", page)


def test_what_lies_behind_the_result(notebook, page, picture):
    views = row(page, "show").locator("select")
    before = shades(picture)
    views.select_option("mask")
    becomes_another(picture, before)
    pixels = shades(picture)
    assert pixels[0::4] == pixels[1::4] == pixels[2::4], "a mask is grey"
    notebook.shoot("09_mask", page)
    views.select_option("result")
    wait_until(lambda: difference(before, shades(picture)) < VISIBLE, 20, "the result again", picture.page)


def test_a_click_moves_the_focus(notebook, page, picture):
    before, box = shades(picture), picture.bounding_box()
    picture.click(position={"x": 0.8 * box["width"], "y": 0.6 * box["height"]})
    becomes_another(picture, before)
    assert percent(page, "from left") == pytest.approx(80, abs=1)
    assert percent(page, "from top") == pytest.approx(60, abs=1)
    assert row(page, "look").locator("select").input_value() == "lens"
    notebook.shoot("09_clicked", page)


def test_so_do_the_arrow_keys(notebook, page, picture):
    frame, before, left = page.locator(".dofkit-click"), shades(picture), percent(page, "from left")
    for _ in range(3):
        frame.press("Shift+ArrowLeft")
    wait_until(lambda: percent(page, "from left") == left - 30, 20, "the focus is more to the left", page.page)
    becomes_another(picture, before)
    expect(frame.locator("img")).to_have_attribute("alt", "result of the photograph, whole-body, look lens")
    notebook.shoot("09_moved_by_keys", page)


def test_a_file_that_is_no_picture_is_refused(notebook, page, picture):
    expect(page).to_contain_text(DONE)
    before = shades(picture)
    upload(page, {"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": b"We were at the sea."})
    expect(page).to_contain_text(WRONG)
    expect(page).to_contain_text("holiday.jpg")
    assert shades(picture) == before
    notebook.shoot("09_no_picture", page)


def test_a_photograph_is_opened_and_its_portrait_saved(notebook, page, picture, server: Server, tmp_path):
    before = shades(picture)
    large = cv2.resize(data.astronaut() / 255.0, (1800, 1800), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    write_photo(tmp_path / "me.png", large, bits=16)
    assert (tmp_path / "me.png").stat().st_size > 10_000_000  # more than Jupyter's own limit
    upload(page, tmp_path / "me.png")
    becomes_another(picture, before)
    assert row(page, "photograph").locator("select").evaluate("node => node.selectedOptions[0].text") == "me.png"
    notebook.shoot("09_own_photograph", page)
    page.get_by_role("button", name="save").click()
    expect(page).to_contain_text("saved: ")
    assert read_photo(server.folder / "portrait.jpg").image.shape == large.shape
    notebook.shoot("09_saved", page)
