# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: no windows, no writing into the user's folders, one run of all notebooks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["MPLBACKEND"] = "agg"

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def figures(tmp_path, monkeypatch) -> Path:
    """A folder of its own for figures that a test writes."""
    folder = tmp_path / "figures"
    monkeypatch.setenv("DOFKIT_FIGURES", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache folder of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DOFKIT_CACHE", str(folder))
    return folder
