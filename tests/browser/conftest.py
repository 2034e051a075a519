# SPDX-License-Identifier: GPL-3.0-or-later
"""One server, one browser; pages of its own for each module, which must end without a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from dofkit.cache import keep_compiled_code
from tests.browser.chromium import MISSING, find_chromium
from tests.browser.lab import FLAGS, PATIENCE, Reader, Server, copy_unrun, serve


@pytest.fixture(scope="package")
def pictures(root: Path) -> Path:
    """Where the screenshots are kept."""
    folder = root / "build" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="package")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab, with an empty folder of notebooks, an empty cache, no studies, and figures in build/."""
    keep_compiled_code()  # the minute that numba needs is not spent again
    base = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOFKIT_FIGURES", str(root / "build" / "test-browser"))
        patch.setenv("DOFKIT_CACHE", str(base / "cache"))
        patch.setenv("DOFKIT_STUDIES", str(base / "studies"))
        with serve(base) as running:
            yield running


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser of the machine; playwright's own is never downloaded."""
    path = find_chromium()
    assert path, MISSING
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reader(
    server: Server, chromium: Browser, pictures: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Reader]]:
    """Opens a copy of a notebook, runs all of it, and afterwards looks whether anything went wrong."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    readers: list[Reader] = []

    def opened(notebook: Path, until: str = "") -> Reader:
        copy = copy_unrun(notebook, server.folder, until)
        readers.append(Reader(context, pictures))
        readers[-1].open(server, copy)
        readers[-1].run_all()
        return readers[-1]

    yield opened
    for reader in readers:
        reader.shoot(f"end_of_{Path(request.node.name).stem}")
    found = [fault for reader in readers for fault in [*reader.problems(), *reader.faults]]
    context.close()
    server.end_kernels()
    assert found == []
