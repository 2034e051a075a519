# SPDX-License-Identifier: GPL-3.0-or-later
"""What JupyterLab shows nowhere is seen by these tests: they could not fail otherwise."""

from __future__ import annotations

import nbformat
import pytest

from dofkit.notebooks import KERNEL
from tests.browser.lab import wait_until

pytestmark = pytest.mark.browser

SOURCE = """
import ipywidgets
slider = ipywidgets.IntSlider(1, 0, 9)
slider.observe(lambda change: 1 / 0, names="value")
slider
"""


def test_a_callback_that_fails_is_noticed(reader, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SOURCE)], metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, tmp_path / "faulty.ipynb")
    faulty = reader(tmp_path / "faulty.ipynb")
    assert faulty.faults == []
    faulty.page.locator(".jp-OutputArea .noUi-handle").press("ArrowRight")
    wait_until(lambda: bool(faulty.faults), 20, "a fault is noticed", faulty.page)
    assert "ZeroDivisionError" in faulty.faults.pop()
    faulty.page.evaluate("setTimeout(() => missing())")
    wait_until(lambda: bool(faulty.faults), 5, "a fault of the page is noticed", faulty.page)
    assert "missing is not defined" in faulty.faults.pop()
    assert faulty.faults == []
