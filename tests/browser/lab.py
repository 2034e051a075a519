# SPDX-License-Identifier: GPL-3.0-or-later
"""JupyterLab as a reader has it: a server of its own, and a page of the browser with one notebook in it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ipykernel.kernelspec import get_kernel_dict
from playwright.sync_api import BrowserContext, Locator, Page, WebSocket, expect
from playwright.sync_api import TimeoutError as NotInTime

from dofkit.notebooks import read_notebook, write_notebook

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic",
]  # fmt: skip
OPTIONS = [
    '--ServerApp.tornado_settings={"websocket_max_message_size": 200000000}', "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
]  # fmt: skip
"""Those of `make lab`: uploads of more than 10 MB, Jupyter's own limit, and no news from the network."""
START = 60.0
"""Seconds that the server, and one page of it, may take to come up."""
RUN = 300.0
"""Seconds that the cells of one notebook may take; a minute of it where numba has not compiled yet."""
PATIENCE = 20_000.0
"""Milliseconds for the answer to one key or click: other work may be waiting for the same cores."""
DROPPED = 4.0
"""Seconds without any running cell after which "Run All" counts as dropped: right after a load it often is."""
TRACEBACK = b"Traceback (most recent call last)"
PROMPTS = """() => [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt')]
    .map(prompt => prompt.textContent)"""
SHADES = """async image => {
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), {width: 64, height: 64});
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0, 64, 64);
    return [...context.getImageData(0, 0, 64, 64).data];
}"""

expect.set_options(timeout=PATIENCE)


def wait_until(condition: Callable[[], bool], seconds: float, what: str, page: Page | None = None) -> None:
    """Return as soon as the condition holds; the page goes on living meanwhile."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        page.wait_for_timeout(50) if page else time.sleep(0.1)


@dataclass(frozen=True)
class Server:
    """A running JupyterLab: its address, its token, the folder of its notebooks, and its log."""

    url: str
    token: str
    folder: Path
    log: Path

    def address(self, notebook: str) -> str:
        """Where the browser finds a notebook, with a fresh layout."""
        return f"{self.url}/lab/tree/{notebook}?reset&token={self.token}"

    def ask(self, path: str, method: str = "GET") -> bytes:
        """What the server's interface answers."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.ask("status"))
        except OSError:
            return False

    def end_kernels(self) -> None:
        """End what runs, so that the next notebook has the machine to itself."""
        for session in json.loads(self.ask("sessions")):
            self.ask(f"sessions/{session['id']}", "DELETE")


def copy_unrun(notebook: Path, folder: Path, until: str = "") -> Path:
    """A copy of a notebook without outputs and numbers: what the page shows then comes from this run.

    With `until` it ends with the first cell that has this text; another part of `make test` runs it whole.
    """
    copy = read_notebook(notebook)
    if until:
        ends = next(number for number, cell in enumerate(copy.cells, 1) if until in cell.source)
        copy.cells = copy.cells[:ends]
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    write_notebook(folder / notebook.name, copy)
    return folder / notebook.name


@contextlib.contextmanager
def serve(base: Path) -> Iterator[Server]:
    """JupyterLab on a free port of this machine, with all its folders in `base`."""
    folder = base / "notebooks"
    folder.mkdir()
    kernel = base / "path" / "kernels" / "python3" / "kernel.json"  # this Python, whatever kernels are registered
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps(get_kernel_dict()), encoding="utf-8")
    places = {
        "JUPYTER_PATH": "path", "JUPYTER_DATA_DIR": "data", "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
    }  # fmt: skip
    environment = os.environ | {name: str(base / place) for name, place in places.items()}
    environment.pop("MPLBACKEND", None)  # else figures would not be shown in the page
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", secrets.token_hex(16), folder, base / "jupyter.log")
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={server.token}", f"--ServerApp.root_dir={folder}",
        *OPTIONS,
    ]  # fmt: skip
    with server.log.open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: server.is_up() or process.poll() is not None, START, "the server answers")
        assert process.poll() is None, server.log.read_text()
        yield server
        server.end_kernels()
    finally:
        process.terminate()
        process.wait(START)


class Reader:
    """A page with one notebook, and what a reader does with it.

    What goes wrong out of sight is kept in `faults`: errors of the page, and tracebacks that the kernel sends, also
    those that JupyterLab shows nowhere, as they come from the callback of a widget.
    """

    def __init__(self, context: BrowserContext, pictures: Path) -> None:
        self.page = context.new_page()
        self.pictures = pictures
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(f"page: {error}"))
        self.page.on("console", self._heard)
        self.page.on("websocket", self._connected)

    def _heard(self, message) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _connected(self, socket: WebSocket) -> None:
        def received(frame: str | bytes) -> None:
            data = frame.encode() if isinstance(frame, str) else frame
            if TRACEBACK in data:
                self.faults.append("kernel: " + data[data.index(TRACEBACK) :].decode(errors="replace"))

        socket.on("framereceived", received)

    def open(self, server: Server, notebook: Path) -> None:
        """Load the notebook and wait for its kernel."""
        self.page.goto(server.address(notebook.name))
        self.page.locator(".jp-NotebookPanel .jp-CodeCell").first.wait_for(timeout=START * 1000)
        self.page.get_by_text("| Idle").wait_for(timeout=START * 1000)

    def prompts(self) -> list[str]:
        """What stands before the code cells: [ ]: not run, [*]: running, [3]: run."""
        return self.page.evaluate(PROMPTS)

    def run_all(self, seconds: float = RUN) -> None:
        """"Run All Cells" of the menu, again if it was dropped, until every cell has its number."""

        def started() -> bool:
            return any(prompt.strip("[]: ") for prompt in self.prompts())

        def done() -> bool:
            assert not self.problems(), "\n".join(self.problems())  # the cells after an error are not run
            return all(prompt.strip("[]: ").isdigit() for prompt in self.prompts())

        end = time.monotonic() + seconds
        while not started():
            self.page.get_by_role("menuitem", name="Run", exact=True).click()
            self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            self._choose_kernel()
            with contextlib.suppress(AssertionError):
                wait_until(started, DROPPED, "a cell runs", self.page)
            assert time.monotonic() < end, '"Run All" was dropped again and again'
        wait_until(done, end - time.monotonic(), "all cells have run", self.page)

    def _choose_kernel(self) -> None:
        """Say yes to the kernel that JupyterLab asks for, if it does not see yet that one runs."""
        select = self.page.get_by_role("dialog").get_by_role("button", name="Select", exact=True)
        with contextlib.suppress(NotInTime):
            select.click(timeout=1000)

    def cell_of(self, text: str) -> Locator:
        """The code cell with this text."""
        return self.page.locator(".jp-CodeCell").filter(has=self.page.locator(".jp-Editor", has_text=text))

    def output_of(self, text: str) -> Locator:
        """What stands under the code cell with this text."""
        return self.cell_of(text).locator(".jp-OutputArea")

    def run_cell(self, text: str, seconds: float = 30.0) -> None:
        """Run one cell again, as with Shift and Enter in it."""
        prompt = self.cell_of(text).locator(".jp-InputPrompt").first
        before = prompt.inner_text()
        self.cell_of(text).locator(".cm-content").press("Shift+Enter")

        def done() -> bool:
            now = prompt.inner_text()
            return now != before and now.strip("[]: ").isdigit()

        wait_until(done, seconds, f"the cell with {text!r} has run", self.page)

    def problems(self) -> list[str]:
        """Errors and warnings that stand in the page under its cells."""
        kinds = ("error", "stderr")
        found = self.page.locator(", ".join(f"[data-mime-type='application/vnd.jupyter.{kind}']" for kind in kinds))
        return found.all_inner_texts()

    def shoot(self, name: str, of: Locator | None = None) -> None:
        """Keep a picture of the window, with what is meant in its middle."""
        for _ in range(3 if of is not None else 0):  # cells above get their true heights only once they are near
            of.evaluate("node => node.scrollIntoView({block: 'center'})")
            self.page.wait_for_timeout(100)
        self.page.screenshot(path=self.pictures / f"{name}.png")


def shades(image: Locator) -> list[int]:
    """A picture in the page as the browser shows it, on 64x64 pixels, RGBA."""
    return image.evaluate(SHADES)


def difference(one: list[int], other: list[int]) -> float:
    """Mean difference of two pictures, in levels of 255."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)
