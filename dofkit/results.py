# SPDX-License-Identifier: GPL-3.0-or-later
"""What long trainings came to: numbers that no notebook types in, read from the files that the trainings wrote.

    weights/segmentation.json    the shipped networks on every test set      recipes/making.py
    weights/depth.json           the shipped depth on test scenes            recipes/making_depth.py
    weights/table1.json          Table 1, each method from several seeds     recipes/table1.py
    weights/filter.json          the RNN filter and its competitors, Table 2 recipes/making_filter.py

The files come with the package, beside the weights that were made in the same runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from dofkit import weights


class ResultsError(ValueError):
    """Results that cannot be read; the message says which, why, and what makes them."""


def read_results(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Read the results of a training.

    Parameters
    ----------
    name
        "segmentation", "depth", "table1" or "filter"; the file is NAME.json.
    folder
        Where it lies; by default beside the shipped weights.

    Raises
    ------
    ResultsError
        If there is no such file, or it does not hold a JSON object.
    """
    path = (folder or Path(weights.__file__).parent) / f"{name}.json"
    remedy = "`dofkit train` makes it, in hours, from the data sets; a clean checkout has it"
    try:
        return read_json(path)
    except OSError as error:
        raise ResultsError(f"no results in '{path}' ({error.strerror}): {remedy}") from error
    except ValueError as error:
        raise ResultsError(f"'{path}' is damaged ({error}): {remedy}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises
    ------
    OSError, ValueError
        If there is none, or the file is damaged; the message does not name the file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("brackets within brackets without end") from None
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, not results by name")
    return found


def percent(values: Sequence[float]) -> str:
    """The mean of numbers in [0, 1], in percent, and their standard deviation if there are several.

    Raises
    ------
    ValueError
        Without a number.

    Examples
    --------
    >>> percent([0.9322]), percent([0.93, 0.94, 0.95])
    ('93.22', '94.00 ± 1.00')
    """
    if not values:
        raise ValueError("there is no number to take the mean of")
    spread = f" ± {100 * stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * fmean(values):.2f}{spread}"
