# SPDX-License-Identifier: GPL-3.0-or-later
"""`explore` in the browser, as notebook 05 uses it: the picture follows the keys and the choice."""

from __future__ import annotations

import pytest

from tests.browser.lab import difference, shades, wait_until

pytestmark = pytest.mark.browser


def test_the_portrait_follows_the_slider_and_the_choice(reader, root):
    notebook = reader(root / "notebooks" / "05_blur_with_guidance.ipynb", until="explore(selfie")
    explorer = notebook.page.locator(".jp-OutputArea .widget-vbox")
    picture, handle = explorer.locator("img"), explorer.locator(".widget-slider .noUi-handle")

    def becomes_another(before: list[int]) -> None:
        wait_until(lambda: difference(before, shades(picture)) > 0.1, 20, "another picture", notebook.page)

    notebook.shoot("05_as_it_opens", explorer)
    before = shades(picture)
    handle.focus()
    for _ in range(10):
        handle.press("ArrowRight")
    becomes_another(before)
    assert explorer.locator(".widget-readout").inner_text() == "16.00"
    notebook.shoot("05_more_blur", explorer)

    before = shades(picture)
    explorer.locator("select").select_option("uniform")
    becomes_another(before)  # the person's colours leak
    notebook.shoot("05_uniform_kernel", explorer)
