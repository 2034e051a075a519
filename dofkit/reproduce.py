# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the notebooks and write the figures: what `make reproduce` and `dofkit reproduce` do.

Everything that can be refused is refused before the first kernel starts: unknown names, parameters that a
notebook does not have. Then papermill runs the notebooks, a few at a time, each in its own folder, with this
very Python, within a time limit; executed notebooks are kept in `build/notebooks`, those of failed runs too.
"""

from __future__ import annotations

import ast
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from tqdm import tqdm
from traitlets.config import Config

from dofkit import manifest
from dofkit.kernels import START_LIMIT, ThisPython, cannot_keep, kernel_environment
from dofkit.notebooks import KERNEL, NotebookError, clean_text, normalised, read_notebook, write_notebook
from dofkit.workers import in_processes, in_turn

TIME_LIMIT = 1800.0
"""Seconds that one notebook may take in all."""


@dataclass(frozen=True)
class Run:
    """What became of one notebook; `error` is empty if it ran to its end, else it says what to look at.

    `peak_mb` is the memory of its kernel; None where that cannot be told.
    """

    notebook: Path
    output: Path
    seconds: float
    error: str = ""
    peak_mb: float | None = None


@dataclass
class Plan:
    """Which notebooks to run, with which parameters; `reproduce` carries it out.

    Every notebook must have all `parameters`; what is `offered` goes to those that have it.
    """

    notebooks: list[Path]
    output: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    offered: Mapping[str, Any] = field(default_factory=dict)
    time_limit: float = TIME_LIMIT


def all_notebooks(folder: Path, *, solutions: bool = False) -> list[Path]:
    """The notebooks in their order; with `solutions`, those of the exercises after them."""
    found = sorted(folder.glob("*.ipynb"))
    return found + sorted((folder / "solutions").glob("*.ipynb")) if solutions else found


def select(notebooks: Sequence[Path], only: Sequence[str], items: Mapping[str, manifest.Item]) -> list[Path]:
    """The notebooks that `only` asks for, in their order; all of them if it is empty.

    Parameters
    ----------
    notebooks
        The notebooks that exist.
    only
        Beginnings of names: of a figure, table or claim (``fig03``), or of a notebook (``05``).
    items
        The manifest, which says what is made where.

    Raises
    ------
    NotebookError
        If a name matches nothing, or something that no notebook makes yet.
    """
    wanted: set[str] = set()
    for name in only:
        direct = {path.stem for path in notebooks if path.stem.startswith(name)}
        hits = [item for item in items.values() if item.name.startswith(name)]
        made = {item.notebook for item in hits} & {path.stem for path in notebooks}
        if not direct and not hits:
            known = [path.stem for path in notebooks] + [item.name for item in items.values()]
            raise NotebookError(f"nothing is called {name!r}; there are {', '.join(known)}")
        if not direct and not made:
            raise NotebookError(f"{hits[0].name} is {hits[0].status!r}: no notebook makes it")
        wanted |= direct or made
    return [path for path in notebooks if not only or path.stem in wanted]


def check_parameters(plan: Plan) -> None:
    """Refuse parameters that a notebook, or for those offered every notebook, does not have.

    Papermill itself would only warn.

    Raises
    ------
    NotebookError
        Naming the parameter, the notebook, and the parameters it does have.
    """
    lonely = set(plan.offered)
    for path in plan.notebooks:
        known = parameters_of(path)
        lonely -= set(known)
        unknown = [name for name in plan.parameters if name not in known]
        if unknown:
            raise NotebookError(
                f"{path.stem} has no parameter {unknown[0]!r}; it has {', '.join(known) or 'none'} "
                "(--only narrows the run to the notebooks that are meant)"
            )
    if lonely and plan.notebooks:
        raise NotebookError(f"none of these notebooks has a parameter {min(lonely)!r}")


def parameters_of(path: Path) -> dict[str, str]:
    """The parameters of a notebook: name and default value, as its first tagged cell writes them."""
    return {name: entry["default"] for name, entry in papermill.inspect_notebook(_load(path)).items()}


def reproduce(plan: Plan, *, progress: bool | None = None, workers: int = 1) -> list[Run]:
    """Run the notebooks of a plan, each within its time limit; a failed one does not stop the others.

    Parameters
    ----------
    plan
        What to run. Its parameters are checked before anything runs.
    progress
        Bars for notebooks and cells; by default where standard error is a terminal, else one line a notebook.
    workers
        How many run at a time, each with its share of the cores.

    Returns
    -------
    list of Run
        In the plan's order.

    Raises
    ------
    NotebookError
        If a parameter is unknown.
    PhotoError
        If a worker was killed.
    """
    check_parameters(plan)
    bars = sys.stderr.isatty() if progress is None else progress
    alone = min(workers, len(plan.notebooks)) < 2
    share = in_turn if alone else in_processes(workers)
    runs: dict[int, Run] = {}
    with kernel_environment(plan.output), tqdm(total=len(plan.notebooks), unit="notebook", disable=not bars) as outer:
        for number, run in share(partial(run_notebook, plan=plan, bar=bars and alone), plan.notebooks):
            runs[number] = run
            outer.set_description(run.notebook.stem)
            outer.update()
            if run.error:
                tqdm.write(run.error, file=sys.stderr)
            elif not bars:
                print(f"{run.notebook.stem}: {run.seconds:.0f} s", file=sys.stderr, flush=True)
    return [runs[number] for number in sorted(runs)]


def run_notebook(path: Path, plan: Plan, *, bar: bool = False) -> Run:
    """Run one notebook with papermill in its own folder and keep the result, also that of a failure."""
    output = plan.output / (path.parent.name if path.parent.name == "solutions" else "") / path.name
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise cannot_keep(output, failure) from failure
    started = time.monotonic()
    current: list[Any] = [None]
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it logs on a failure is in our report

    def remaining(cell: Any) -> float:
        current[0] = cell
        return max(plan.time_limit - (time.monotonic() - started), 0.1)

    error = ""
    try:
        papermill.execute_notebook(
            _load(path),
            str(output).replace("{", "{{").replace("}", "}}"),  # papermill fills in names between braces
            parameters=_changed(path, plan),
            cwd=path.parent,
            progress_bar={"desc": path.stem, "position": 1, "leave": False} if bar else False,
            kernel_name="python3",
            kernel_manager_class=ThisPython,
            start_timeout=START_LIMIT,
            execution_timeout=plan.time_limit,
            timeout_func=remaining,
            config=Config(KernelManager={"transport_encryption": "auto"}),
        )
    except papermill.PapermillExecutionError as failure:
        error = _report(path, output, failure.source, f"{failure.ename}: {failure.evalue}")
    except CellTimeoutError:
        source = current[0].source if current[0] is not None else ""
        error = _report(path, output, source, f"was still running at the time limit of {plan.time_limit:g} s")
    except (DeadKernelError, RuntimeError) as failure:
        source = current[0].source if current[0] is not None else ""
        error = _report(path, output, source, f"the kernel died ({failure}): often a lack of memory")
    except OSError as failure:
        raise cannot_keep(output, failure) from failure
    return Run(path, output, time.monotonic() - started, error, ThisPython.peak)


def update(runs: Sequence[Run]) -> list[Path]:
    """Write the outputs of successful runs, normalised, into the notebooks; returns those that changed."""
    changed = []
    for run in runs:
        source = read_notebook(run.notebook)
        new = normalised(source, read_notebook(run.output))
        if nbformat.writes(new) != nbformat.writes(source):
            write_notebook(run.notebook, new)
            changed.append(run.notebook)
    return changed


def _changed(path: Path, plan: Plan) -> dict[str, Any]:
    """The parameters that differ from the notebook's own: with none, the notebook runs as it is."""
    known = parameters_of(path)
    given = {**{name: value for name, value in plan.offered.items() if name in known}, **plan.parameters}
    return {name: value for name, value in given.items() if _value(known[name]) != value}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _load(path: Path) -> nbformat.NotebookNode:
    """The notebook with our kernel named in it: papermill insists on one, and fails on those it does not know."""
    notebook = read_notebook(path)
    notebook.metadata.update(kernelspec=dict(KERNEL), language_info={"name": "python"})
    return notebook


def _report(path: Path, output: Path, source: str, reason: str) -> str:
    cell = "\n".join("    " + line for line in source.strip().splitlines())
    return f"\n{path.stem} failed in this cell:\n\n{cell}\n\n{clean_text(reason)}\nkept as {output}\n"
