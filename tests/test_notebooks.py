# SPDX-License-Identifier: GPL-3.0-or-later
"""The notebooks: run once, and compared with what is committed; the rules that they all keep.

Texts are compared where a cell is marked `# NBVAL_CHECK_OUTPUT`, by nbval itself; pictures and metrics by the
tolerances below, since another machine rounds differently.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbval.plugin import IPyNbFile
from PIL import Image

from dofkit.manifest import read_manifest
from dofkit.notebooks import SIZE_LIMIT, normalised, read_notebook
from dofkit.reproduce import Plan, all_notebooks, parameters_of, reproduce

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = all_notebooks(ROOT / "notebooks")
ALL = all_notebooks(ROOT / "notebooks", solutions=True)
MEAN, WORST = 0.01, 0.1
"""A picture may differ from the committed one by 1 % in the mean, by over 10 % in 1 % of its pixels."""
RELATIVE = 0.01
"""A metric may differ by 1 %."""

every = pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
tutorial = pytest.mark.parametrize("path", TUTORIAL, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def runs():
    """All notebooks, run once, their figures in build/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOFKIT_FIGURES", str(ROOT / "build" / "figures"))
        return {run.notebook: run for run in reproduce(Plan(ALL, ROOT / "build" / "notebooks"))}


def pictures(notebook: nbformat.NotebookNode) -> list[np.ndarray]:
    data = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    encoded = [bundle[kind] for bundle in data for kind in ("image/png", "image/jpeg") if kind in bundle]
    return [decoded(base64.b64decode(text)) for text in encoded]


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32) / 255


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    difference = np.abs(one - other).max(2)
    return bool(difference.mean() <= MEAN and np.quantile(difference, 0.99) <= WORST)


# One run of everything


@pytest.mark.notebooks
@every
def test_it_runs_to_its_end(runs, path):
    assert runs[path].error == ""


@pytest.mark.notebooks
@every
def test_its_marked_texts_are_those_committed(runs, path, request):
    committed = read_notebook(path)
    executed = normalised(committed, read_notebook(runs[path].output))
    marks = IPyNbFile.from_parent(request.session, path=path)
    marks.compare_outputs = False  # as --nbval-lax: marked cells alone
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    for item, ran in zip(marks.collect(), code, strict=True):
        if item.options["check"]:
            assert item.compare_outputs(ran.outputs, item.cell.outputs), "\n".join(item.comparison_traceback)


@pytest.mark.notebooks
@every
def test_its_pictures_are_those_committed(runs, path):
    committed, executed = pictures(read_notebook(path)), pictures(read_notebook(runs[path].output))
    assert len(committed) == len(executed)
    for number, (one, other) in enumerate(zip(committed, executed, strict=True), 1):
        assert alike(one, other), f"picture {number} of {path.stem} differs from the committed one"


@pytest.mark.notebooks
@every
def test_it_warns_of_nothing(runs, path):
    outputs = [o for cell in read_notebook(runs[path].output).cells for o in cell.get("outputs", [])]
    assert [o.text for o in outputs if o.get("name") == "stderr"] == []


@pytest.mark.notebooks
@pytest.mark.parametrize(
    "name", [item.name for item in read_manifest().values() if item.made and item.kind != "claim"]
)
def test_its_figures_are_those_committed(runs, name):
    committed, made = ROOT / "figures", ROOT / "build" / "figures"
    old, new = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for folder in (committed, made)
    )
    assert [old[key] for key in ("name", "paper", "notebook")] == [
        new[key] for key in ("name", "paper", "notebook")
    ]
    assert list(old["inputs"]) == list(new["inputs"])
    if old["profile"] != "quick":
        pytest.skip("made by a longer profile than the one that runs here")
    assert old["seed"] == new["seed"]
    assert close(old["metrics"], new["metrics"]) == []
    if (committed / f"{name}.png").is_file():
        assert alike(*(decoded((folder / f"{name}.png").read_bytes()) for folder in (committed, made)))


def close(old: object, new: object, where: str = "metrics") -> list[str]:
    """Where two sets of metrics differ."""
    if isinstance(old, dict) and isinstance(new, dict) and list(old) == list(new):
        return [fault for key in old for fault in close(old[key], new[key], f"{where}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            fault
            for i, pair in enumerate(zip(old, new, strict=True))
            for fault in close(*pair, f"{where}[{i}]")
        ]
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        return [] if new == pytest.approx(old, rel=RELATIVE, abs=1e-6) else [f"{where}: {old} is now {new}"]
    return [] if old == new else [f"{where}: {old} is now {new}"]


# What is committed


@every
def test_it_is_committed_normalised_and_small(path):
    text = path.read_text(encoding="utf-8")
    assert nbformat.writes(normalised(read_notebook(path))).rstrip("\n") + "\n" == text, (
        "run reproduce --update"
    )
    assert len(text.encode()) <= SIZE_LIMIT


@every
def test_its_outputs_are_committed_without_errors(path):
    cells = [cell for cell in read_notebook(path).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs, "no outputs: run reproduce --update"
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


@tutorial
def test_its_first_code_cell_holds_the_parameters(path):
    first = next(cell for cell in read_notebook(path).cells if cell.cell_type == "code")
    assert first.metadata.get("tags") == ["parameters"]
    defaults = parameters_of(path)
    assert [ast.literal_eval(defaults[name]) for name in ("profile", "seed")] == ["quick", 0]


@tutorial
def test_it_is_of_a_size_to_be_read(path):
    cells = read_notebook(path).cells
    words = sum(len(re.findall(r"\w+", cell.source)) for cell in cells if cell.cell_type == "markdown")
    code = [cell.source.strip().splitlines() for cell in cells if cell.cell_type == "code"]
    assert 1000 <= words <= 2000
    assert sum(map(len, code)) <= 200
    assert max(map(len, code)) <= 25


@every
def test_its_code_keeps_the_rules(path):
    for cell in read_notebook(path).cells:
        if cell.cell_type != "code":
            continue
        assert not cell.source.rstrip().endswith(";")
        assert not re.search(r"^\s*[%!]", cell.source, flags=re.MULTILINE), "plain Python alone"
        names = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
        assert not names & {"interact", "interactive"}, "widgets only through dofkit.widgets"
        texts = [n.value for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Constant)]
        assert not [t for t in texts if isinstance(t, str) and re.match(r"(\.\.?/|/|~)\w", t)], "no paths"


# The tolerances can tell


def test_pictures_are_compared_with_tolerance():
    picture = np.random.default_rng(0).random((40, 50, 3)).astype(np.float32)
    spoilt = picture.copy()
    spoilt[:10, :10] = 1 - spoilt[:10, :10]
    assert alike(picture, picture + 0.005)
    assert not alike(picture, picture + 0.02)
    assert not alike(picture, spoilt)
    assert not alike(picture, picture[1:])


def test_metrics_are_compared_with_tolerance():
    old = {"psnr": 31.0, "by": [1.0, 2.0], "on": "scene"}
    assert close(old, {"psnr": 31.2, "by": [1.0, 2.01], "on": "scene"}) == []
    assert close(old, {"psnr": 30.0, "by": [1.0, 2.0], "on": "scene"}) == ["metrics.psnr: 31.0 is now 30.0"]
    assert len(close(old, {"psnr": 31.0, "by": [1.0], "on": "photo"})) == 2
    assert close(old, {}) != []
