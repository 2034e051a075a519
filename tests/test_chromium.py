# SPDX-License-Identifier: GPL-3.0-or-later
"""The browser for the tests in the browser: found, installed where that is simple, else asked for in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.chromium import MISSING, ensure_chromium


def program(path: Path, text: str = "") -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Path:
    """The only folder in which programs are looked for; no variable names a browser."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return tmp_path / "bin"


def test_it_is_found_by_name_and_by_the_variable(programs, tmp_path, monkeypatch):
    chrome = program(programs / "google-chrome")
    assert ensure_chromium(tmp_path / "log") == chrome
    assert ensure_chromium(tmp_path / "log") != program(programs / "other")
    monkeypatch.setenv("CHROMIUM", str(programs / "other"))
    assert ensure_chromium(tmp_path / "log") == str(programs / "other")
    monkeypatch.setenv("CHROMIUM", "nowhere")
    with pytest.raises(FileNotFoundError, match="CHROMIUM is 'nowhere', which is no program"):
        ensure_chromium(tmp_path / "log")


def test_without_root_it_is_asked_for(programs, tmp_path, monkeypatch):
    program(programs / "apt-get", "exit 7")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(FileNotFoundError) as error:
        ensure_chromium(tmp_path / "log")
    assert str(error.value) == MISSING
    assert not (tmp_path / "log").exists()


def test_root_on_debian_installs_it_and_keeps_what_was_said(programs, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    log, chromium = tmp_path / "build" / "log", programs / "chromium"
    program(programs / "apt-get", "echo apt-get $*; exit 100")
    with pytest.raises(FileNotFoundError, match="apt-get did not install it, see"):
        ensure_chromium(log)
    program(programs / "apt-get", f"echo apt-get $*; [ $1 = update ] || /bin/ln -s /bin/true {chromium}")
    assert ensure_chromium(log) == str(chromium)
    assert log.read_text().splitlines()[0] == "apt-get update"
    assert "install --yes" in log.read_text()
