# SPDX-License-Identifier: GPL-3.0-or-later
"""Results come from their files as they were written; what is wrong with a file is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dofkit.results import ResultsError, percent, read_results


def test_results_are_what_the_run_wrote(tmp_path):
    written = {"seeds": 2, "iou": {"coarse": {"selfie test": [0.9, 0.92]}}}
    (tmp_path / "table1.json").write_text(json.dumps(written), encoding="utf-8")
    assert read_results("table1", tmp_path) == written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no results in .*table1.json' .No such file or directory.: `dofkit train` makes it"),
        ("", "table1.json' is damaged"),
        ('{"seeds": 3, "io', "table1.json' is damaged"),
        (b"\xff\xfe\x00", "table1.json' is damaged"),
        ("[1, 2]", "holds a list, not results by name"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_remedy(tmp_path, content, message):
    if content is not None:
        (tmp_path / "table1.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ResultsError, match=message):
        read_results("table1", tmp_path)


def test_the_spread_is_that_of_a_sample():
    values = [0.912, 0.931, 0.9275]
    assert percent(values) == f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f}"
    assert percent(values[:1]) == "91.20"
    with pytest.raises(ValueError, match="no number"):
        percent([])
