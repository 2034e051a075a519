# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebooks as they are committed: the same bytes for the same content.

An executed notebook carries times, counters, identities of widgets, addresses and folders that differ from
run to run and from machine to machine. `normalised` keeps what a reader looks at, texts, tables and pictures,
and drops the rest, so that a change in a committed notebook is a change of the tutorial.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from dofkit.files import write_bytes

SIZE_LIMIT = 400_000
"""Most bytes of a committed notebook; GitHub stops showing larger ones sooner or later."""
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class NotebookError(ValueError):
    """A notebook that cannot be used or committed; the message says which one, why, and what to do."""


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of format 4.

    Raises
    ------
    NotebookError
        If the file is missing or is no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        if not isinstance(notebook, NotebookNode):
            raise ValueError("it is of a format before 4")
        nbformat.validate(notebook)  # reading only logs what is not as it should be
        return notebook
    except OSError as error:
        raise NotebookError(f"cannot read {path}: {error.strerror}") from None
    except Exception as error:  # of a file that is no notebook its reader raises nearly anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise NotebookError(f"{path} is no notebook: {reason}") from None


def normalised(source: NotebookNode, executed: NotebookNode | None = None) -> NotebookNode:
    """The notebook as it is committed: the cells of `source` with the outputs of `executed`.

    Parameters
    ----------
    source
        The notebook that people edit.
    executed
        The same notebook after a run; cells that a runner injected are left out. By default `source` itself.

    Returns
    -------
    NotebookNode
        A new notebook with stable cell ids, counters from 1, and without metadata of the run, state of
        widgets, addresses, terminal colours and folders of this machine.

    Raises
    ------
    NotebookError
        If the two are not the same notebook.
    """
    executed = source if executed is None else executed
    ran = [cell for cell in executed.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    if [cell.source for cell in ran] != [cell.source for cell in source.cells]:
        raise NotebookError("the executed notebook has other cells than its source: run it once more")
    cells: list[NotebookNode] = []
    ids: set[str] = set()
    count = 0
    for old, new in zip(source.cells, ran, strict=True):
        cell = NotebookNode(cell_type=old.cell_type, source=old.source)
        cell.update(id=_identity(old, ids), metadata=_tags(old))
        if old.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [_output(output, count) for output in merged(new.outputs) if not _live(output)]
        cells.append(cell)
    metadata = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    return nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def write_notebook(path: Path, notebook: NotebookNode) -> None:
    """Write a normalised notebook, whole or not at all.

    Raises
    ------
    NotebookError
        If it takes more than 400 KB; the message names the largest outputs.
    """
    nbformat.validate(notebook)
    data = (nbformat.writes(notebook).rstrip("\n") + "\n").encode()
    if len(data) > SIZE_LIMIT:
        sizes = [(len(str(cell.get("outputs", ""))), number) for number, cell in enumerate(notebook.cells, 1)]
        worst = ", ".join(f"cell {n} ({size // 1000} KB)" for size, n in sorted(sizes, reverse=True)[:3])
        raise NotebookError(
            f"{path.name} would take {len(data) // 1000} KB, the limit is {SIZE_LIMIT // 1000}: "
            f"make pictures smaller or fewer, above all in {worst}"
        )
    write_bytes(path, data)


def merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighbouring pieces of the same stream joined, as their cutting depends on timing."""
    result: list[NotebookNode] = []
    for output in outputs:
        last = result[-1] if result else None
        if last is not None and output.output_type == "stream" and last.get("name") == output.name:
            result[-1] = NotebookNode(last, text=last.text + output.text)
        else:
            result.append(output)
    return result


def clean_text(text: str) -> str:
    r"""A text without what differs from run to run: addresses, terminal colours, overwritten lines, folders.

    Examples
    --------
    >>> clean_text("10 %\r100 %\n<object at 0x7f12ab34cd56>")
    '100 %\n<object at 0x...>'
    """
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    text = _COLOURS.sub("", "\n".join(lines))
    for folder, name in _folders():
        text = text.replace(folder, name)
    return _ADDRESS.sub("0x...", text)


def _folders() -> list[tuple[str, str]]:
    """Folders of this machine and what stands for them, the longest first."""
    names = {
        str(Path(__file__).resolve().parents[1]): "<dofkit>",
        sys.prefix: "<environment>",
        tempfile.gettempdir(): "<temporary>",
        os.path.expanduser("~"): "~",  # noqa: PTH111 (gives up quietly where there is no home)
    }
    return sorted(((k, v) for k, v in names.items() if len(k) > 3), key=lambda pair: -len(pair[0]))


def _identity(cell: NotebookNode, taken: set[str]) -> str:
    name = cell.get("id", "")
    if not name or name in taken:
        digest = hashlib.sha256(f"{len(taken)} {cell.source}".encode())
        name = digest.hexdigest()[:8]
    taken.add(name)
    return name


def _tags(cell: NotebookNode) -> dict[str, Any]:
    return {"tags": list(cell.metadata["tags"])} if cell.metadata.get("tags") else {}


def _live(output: NotebookNode) -> bool:
    """Whether the output is a widget: without the kernel it is nothing, and GitHub refuses to show it."""
    return WIDGET in output.get("data", {})


def _output(output: NotebookNode, count: int) -> NotebookNode:
    kind = output.output_type
    if kind == "stream":
        return NotebookNode(output_type=kind, name=output.name, text=clean_text(output.text))
    if kind == "error":
        trace = [clean_text(line) for line in output.traceback]
        value = clean_text(output.evalue)
        return NotebookNode(output_type=kind, ename=output.ename, evalue=value, traceback=trace)
    data = {key: clean_text(v) if _is_text(key, v) else v for key, v in sorted(output.data.items())}
    plain = NotebookNode(output_type=kind, data=NotebookNode(data), metadata=NotebookNode())
    if kind == "execute_result":
        plain.execution_count = count
    return plain


def _is_text(kind: str, value: Any) -> bool:
    return (isinstance(value, str) and not kind.startswith("image/")) or kind == "image/svg+xml"
