# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels that notebooks run in: this Python, its folders, its rounding, and the files by which we talk to it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import default

from dofkit.notebooks import NotebookError
from dofkit.parts import remove_abandoned, unfinished_folder
from dofkit.timing import peak_mb

START_LIMIT = 120
"""Seconds that a kernel may take to start; the first one on a slow disk takes long."""
ROUNDING = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
"""Instructions that most processors have: with wider ones the short trainings of notebooks 02 and 03 end elsewhere."""
FOLDERS = ("DOFKIT_FIGURES", "DOFKIT_DATA", "DOFKIT_CACHE")


class ThisPython(AsyncKernelManager):
    """Kernels of the running Python, whatever kernels are registered on this machine."""

    peak: ClassVar[float | None] = None
    """MB of memory that the last kernel has had at its peak; None where that cannot be told."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel to start, by this interpreter's full path."""
        return KernelSpec(**get_kernel_dict())

    @default("connection_file")
    def _connection_file(self) -> str:  # Jupyter's own lies in /tmp, and stays there when we are killed
        return str(Path(jupyter_runtime_dir()) / f"kernel-{secrets.token_hex(8)}.json")

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:  # type: ignore[override]
        """End the kernel, after a look at its memory."""
        pid = getattr(self.provisioner, "pid", None)
        ThisPython.peak = peak_mb(pid) if pid else None
        await super().shutdown_kernel(now, restart)

    async def _async_interrupt_kernel(self) -> None:
        """Nothing: when a kernel is shut down its notebook has ended, and one that is late with that would complain."""


@contextlib.contextmanager
def kernel_environment(output: Path) -> Iterator[None]:
    """The environment as kernels need it: absolute folders, as a notebook runs in its own; no MPLBACKEND; `ROUNDING`.

    Studies lie in `output`, so that what somebody answered in one of theirs does not change what is reproduced.
    A kernel shows figures in the page unless that variable names another back end. The files by which we talk to
    kernels hold keys; they lie in an unfinished folder in `output`, so that a kill leaves none of them for long.

    Raises
    ------
    NotebookError
        If nothing can be written in `output`.
    """
    before = dict(os.environ)
    with _room_for_kernels(output) as talk:
        try:
            for name in FOLDERS:
                if before.get(name):
                    os.environ[name] = str(Path(before[name]).expanduser().absolute())
            for name, value in ROUNDING.items():
                os.environ.setdefault(name, value)
            os.environ.pop("MPLBACKEND", None)
            os.environ["DOFKIT_STUDIES"] = str((output / "studies").absolute())
            os.environ["JUPYTER_RUNTIME_DIR"] = str(talk)
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def _room_for_kernels(output: Path) -> Iterator[Path]:
    with contextlib.ExitStack() as stack:
        try:
            output.mkdir(parents=True, exist_ok=True)
            remove_abandoned(output, "kernels")
            folder = stack.enter_context(unfinished_folder(output / "kernels"))
        except OSError as failure:
            raise cannot_keep(output, failure) from failure
        yield folder


def cannot_keep(output: Path, error: OSError) -> NotebookError:
    """What is said where executed notebooks cannot be written."""
    return NotebookError(f"cannot write '{output}' ({error.strerror or error}): free some space, or choose another "
                         "folder with --output")
