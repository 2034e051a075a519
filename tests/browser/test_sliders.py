# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebook 05 in the browser: its picture follows the keys, and what is chosen."""

from __future__ import annotations

import pytest

from tests.browser.lab import difference, shades, wait_until

pytestmark = pytest.mark.browser


def test_the_portrait_follows_the_slider_and_the_choice(reader):
    notebook = reader("05_blur_with_guidance.ipynb")
    explorer = notebook.page.locator(".jp-OutputArea .widget-vbox")
    picture, handle = explorer.locator("img"), explorer.locator(".widget-slider .noUi-handle")
    notebook.shoot("05_start", explorer)
    first = shades(picture)
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    wait_until(lambda: difference(first, shades(picture)) > 0.1, 20, "the picture is another one", notebook.page)
    assert explorer.locator(".widget-readout").inner_text() == "14.00"
    notebook.shoot("05_more_blur", explorer)
