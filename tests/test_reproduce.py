# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner, on tiny notebooks: what is refused, what a failure leaves behind, and what is committed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dofkit import notebooks, reproduce
from dofkit.commands import reproduce as command
from dofkit.manifest import Item
from dofkit.notebooks import NotebookError, normalised, read_notebook, write_notebook
from dofkit.reproduce import Plan, all_notebooks, select
from dofkit.workers import cores

PARAMETERS = 'profile = "quick"\nseed = 0'


def write(folder: Path, name: str, *sources: str, parameters: str = PARAMETERS) -> Path:
    """A notebook with a parameters cell and one code cell for each source."""
    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    path = folder / f"{name}.ipynb"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[first, *map(new_code_cell, sources)]), path)
    return path


def run(path: Path, tmp_path: Path, **options) -> reproduce.Run:
    (one,) = reproduce.reproduce(Plan([path], tmp_path / "out", **options), progress=False)
    return one


def texts(path: Path) -> list[str]:
    cells = read_notebook(path).cells
    return [
        output.text
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text" in output
    ]


# Running


def test_a_notebook_runs_in_its_folder_with_this_python_and_the_parameters(tmp_path, monkeypatch):
    home = tmp_path / "ein Ordner {mit} Klammern, ä"
    path = write(
        home,
        "00_a",
        "import os, sys; print(profile, seed, os.getcwd(), sys.executable, sep=chr(10))",
        "print(os.environ['DOFKIT_FIGURES'], os.environ['DOFKIT_STUDIES'], sep=chr(10))",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOFKIT_FIGURES", "figures")
    monkeypatch.setenv("DOFKIT_STUDIES", "answered")
    one = run(path, tmp_path, parameters={"profile": "full", "seed": 0})
    assert one.error == ""
    shown = "".join(texts(one.output)).splitlines()
    assert shown[:3] == ["full", "0", str(home.resolve())]
    assert Path(shown[3]).samefile(sys.executable)
    assert shown[4] == str(tmp_path / "figures")  # absolute for the kernel, unchanged for us
    assert shown[5] != str(tmp_path / "answered")  # what a reader answered changes nothing
    assert (os.environ["DOFKIT_FIGURES"], os.environ["DOFKIT_STUDIES"]) == ("figures", "answered")


def test_the_file_with_the_key_to_a_kernel_lies_in_the_output_and_goes_with_it(tmp_path):
    path = write(tmp_path, "00_a", "from ipykernel.connect import get_connection_file as f; print(f())")
    (file,) = texts(run(path, tmp_path).output)
    assert Path(file).parent.parent == tmp_path / "out" and Path(file).parent.name.startswith(".kernels.")
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["00_a.ipynb"]


def test_several_run_at_a_time_and_one_that_fails_stops_none(tmp_path):
    sources = {"00_a": "import os; print(seed, os.environ['OMP_NUM_THREADS'])", "01_b": "1 / 0",
               "02_c": "print(profile)"}
    paths = [write(tmp_path, name, source) for name, source in sources.items()]
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores() // 2))
    plan = Plan(paths, tmp_path / "out", offered={"seed": 7})
    runs = reproduce.reproduce(plan, progress=False, workers=2)
    assert [run.notebook for run in runs] == paths  # in their order, whichever ends first
    assert ["1 / 0" in run.error for run in runs] == [False, True, False]
    assert texts(runs[0].output) == [f"7 {threads}\n"] and texts(runs[2].output) == ["quick\n"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix) == [path.name for path in paths]


@pytest.mark.parametrize(("there", "free", "at_a_time"), [(2, 8e9, 2), (64, 64e9, 4), (64, 3.1e9, 2), (2, 1e8, 1)])
def test_as_many_run_at_a_time_as_cores_and_memory_allow(there, free, at_a_time, monkeypatch):
    monkeypatch.setattr("dofkit.workers.cores", lambda: there)
    monkeypatch.setattr("dofkit.memory.free_memory", lambda: int(free))
    assert command.at_a_time() == at_a_time


def test_a_kernel_registered_on_the_machine_is_not_taken(tmp_path, monkeypatch):
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "P", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert run(write(tmp_path, "00_a", "print(1)"), tmp_path).error == ""


def test_a_failed_notebook_is_kept_its_cell_shown_and_the_next_one_run(tmp_path, capsys):
    bad = write(
        tmp_path, "00_bad", "before = 1", "radius = 'r'\nraise ValueError('no radius')", "print('after')"
    )
    good = write(tmp_path, "01_good", "print('good')")
    runs = reproduce.reproduce(Plan([bad, good], tmp_path / "out"), progress=False)
    assert [bool(one.error) for one in runs] == [True, False]
    said = capsys.readouterr().err
    for part in (
        "00_bad failed in this cell:\n\n    radius = 'r'\n    raise",
        "ValueError: no radius",
        f"kept as {runs[0].output}",
        "01_good: ",
    ):
        assert part in said
    assert "\x1b" not in said
    outputs = [output for cell in read_notebook(runs[0].output).cells for output in cell.get("outputs", [])]
    assert [output.ename for output in outputs if output.output_type == "error"] == ["ValueError"]


def test_the_time_limit_is_for_the_whole_notebook(tmp_path, capfd):
    path = write(tmp_path, "00_slow", *["import time; time.sleep(1.5)"] * 4, "print('never')")
    one = run(path, tmp_path, time_limit=4.0)
    assert "was still running at the time limit of 4 s" in one.error
    assert "time.sleep(1.5)" in one.error
    assert one.output.is_file()
    assert texts(one.output) == []


def test_a_kernel_that_dies_is_reported(tmp_path, capfd):
    one = run(write(tmp_path, "00_dies", "import os; os._exit(9)"), tmp_path)
    assert "os._exit(9)" in one.error
    assert "the kernel died" in one.error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": {"colour": 1}}, "00_a has no parameter 'colour'; it has profile, seed"),
        ({"offered": {"data_root": "x"}}, "none of these notebooks has a parameter 'data_root'"),
    ],
)
def test_unknown_parameters_are_refused_before_anything_runs(tmp_path, options, message):
    path = write(tmp_path, "00_a", "open('trace', 'w').close()")
    with pytest.raises(NotebookError, match=message):
        run(path, tmp_path, **options)
    assert not (tmp_path / "trace").exists()


def test_what_is_offered_goes_to_those_that_have_it(tmp_path):
    paths = [
        write(tmp_path, "00_a", "print('no data')"),
        write(tmp_path, "01_b", "print(data_root)", parameters="data_root = None"),
    ]
    runs = reproduce.reproduce(Plan(paths, tmp_path / "out", offered={"data_root": "/d"}), progress=False)
    assert [texts(one.output) for one in runs] == [["no data\n"], ["/d\n"]]


def test_a_notebook_with_its_own_defaults_runs_as_it_is(tmp_path):
    one = run(write(tmp_path, "00_a", "print(seed)"), tmp_path, parameters={"profile": "quick", "seed": 0})
    tags = [cell.metadata.get("tags", []) for cell in read_notebook(one.output).cells]
    assert tags == [["parameters"], []]


# Choosing


ITEMS = {
    item.name: item
    for item in (
        Item("figure", "fig03_kernel", "t", "made", notebook="05_blur"),
        Item("figure", "fig09_selfie", "t", "made", notebook="05_blur"),
        Item("table", "table1_masks", "t", "not yet made", notebook="02_segment"),
    )
}


def test_only_takes_figures_and_notebooks_by_the_beginning_of_their_names(tmp_path):
    for name in ("00_see", "04_layer", "05_blur"):
        write(tmp_path, name)
    write(tmp_path / "solutions", "04_layer_solutions")
    found = all_notebooks(tmp_path)
    assert [path.stem for path in found] == ["00_see", "04_layer", "05_blur"]
    assert [path.stem for path in all_notebooks(tmp_path, solutions=True)][-1] == "04_layer_solutions"
    assert select(found, [], ITEMS) == found
    assert [path.stem for path in select(found, ["fig09", "fig03"], ITEMS)] == ["05_blur"]
    assert [path.stem for path in select(found, ["fig03", "00"], ITEMS)] == ["00_see", "05_blur"]
    with pytest.raises(NotebookError, match="nothing is called 'fig13'; there are 00_see"):
        select(found, ["fig13"], ITEMS)
    with pytest.raises(NotebookError, match="table1_masks is 'not yet made': no notebook makes it"):
        select(found, ["table1"], ITEMS)


# Committing


def messy() -> nbformat.NotebookNode:
    """What a kernel leaves behind."""
    cell = new_code_cell(
        "show()", execution_count=17, metadata={"papermill": {"duration": 1.5}, "tags": ["x"]}
    )
    cell.outputs = [
        new_output("stream", name="stdout", text="\x1b[31m10 %\r"),
        new_output("stream", name="stdout", text="20 %\nat 0x7f0012345678\n"),
        new_output("display_data", data={notebooks.WIDGET: {"model_id": "abc"}, "text/plain": "IntSlider()"}),
        new_output(
            "execute_result",
            data={"text/plain": f"'{Path.home()}/x'", "image/png": "iVBOR0=="},
            execution_count=17,
            metadata={"image/png": {"width": 3}},
        ),
    ]
    text = new_markdown_cell("# Title", metadata={"collapsed": True})
    return new_notebook(cells=[text, cell], metadata={"widgets": {"state": {}}, "papermill": {}})


def test_what_changes_from_run_to_run_is_left_out():
    notebook = normalised(messy())
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    text, cell = notebook.cells
    assert (text.metadata, cell.metadata, cell.execution_count) == ({}, {"tags": ["x"]}, 1)
    stream, result = cell.outputs
    assert stream.text == "20 %\nat 0x...\n"
    assert result.execution_count == 1
    assert result.data == {"image/png": "iVBOR0==", "text/plain": "'~/x'"}
    nbformat.validate(notebook)


def test_normalising_twice_changes_nothing(tmp_path):
    once = normalised(messy())
    write_notebook(tmp_path / "a.ipynb", once)
    again = normalised(read_notebook(tmp_path / "a.ipynb"))
    assert nbformat.writes(again) == nbformat.writes(once)
    assert normalised(messy()).cells[0].id != ""


def test_ids_are_unique_and_kept():
    notebook = new_notebook(cells=[new_code_cell(source) for source in "abc"])
    notebook.cells[0]["id"] = notebook.cells[1]["id"] = "mine"
    del notebook.cells[2]["id"]
    ids = [cell.id for cell in normalised(notebook).cells]
    assert ids[0] == "mine"
    assert len(set(ids)) == 3
    assert [cell.id for cell in normalised(notebook).cells] == ids


def test_update_writes_the_outputs_once(tmp_path):
    path = write(tmp_path, "00_a", "print(object())", "import ipywidgets; ipywidgets.IntSlider()")
    one = run(path, tmp_path)
    assert reproduce.update([one]) == [path]
    assert texts(path) == ["<object object at 0x...>\n"]
    assert reproduce.update([one]) == []
    second = run(path, tmp_path)
    assert reproduce.update([second]) == []


def test_outputs_of_another_notebook_are_refused(tmp_path):
    path = write(tmp_path, "00_a", "print(1)")
    one = run(path, tmp_path)
    write(tmp_path, "00_a", "print(2)")
    with pytest.raises(NotebookError, match="run it once more"):
        reproduce.update([one])


def test_a_notebook_that_is_too_large_is_refused_and_the_cell_named(tmp_path):
    cells = [new_code_cell("a"), new_code_cell("b", outputs=[new_output("stream", text="x" * 500_000)])]
    with pytest.raises(NotebookError, match=r"would take 500 KB, the limit is 400: .* in cell 2"):
        write_notebook(tmp_path / "a.ipynb", normalised(new_notebook(cells=cells)))
    assert not (tmp_path / "a.ipynb").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"nbformat": 4}', b"[1]"])
def test_a_file_that_is_no_notebook_is_explained(tmp_path, content):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookError, match=r"a\.ipynb is no notebook"):
        read_notebook(path)
    with pytest.raises(NotebookError, match=r"cannot read .*b\.ipynb"):
        read_notebook(tmp_path / "b.ipynb")


def test_times_are_kept_beside_those_of_the_same_machine(tmp_path, monkeypatch):
    file = tmp_path / "times.json"
    took = [reproduce.Run(tmp_path / "notebooks" / f"{name}.ipynb", tmp_path, seconds, error, 512.3)
            for name, seconds, error in (("01_b", 7.06, ""), ("00_a", 3.0, ""), ("02_c", 9.0, "failed"))]
    command.record(took[:1], file, 2, 8.04)
    command.record(took[1:], file, 2, None)  # only some: what all took stays
    kept = json.loads(file.read_text())
    assert (kept["workers"], kept["seconds"]) == (2, 8.0)
    assert kept["notebooks"] == {"00_a": {"seconds": 3.0, "peak_mb": 512}, "01_b": {"seconds": 7.1, "peak_mb": 512}}
    command.record(took[:1], file, 1, None)  # one at a time is another measurement
    assert list(json.loads(file.read_text())["notebooks"]) == ["01_b"]
    monkeypatch.setattr("dofkit.timing.machine", lambda: {"cpu": "another"})
    command.record(took[1:2], file, 1, None)
    assert list(json.loads(file.read_text())["notebooks"]) == ["00_a"]
    file.write_text("damaged")
    command.record(took[:1], file, 1, None)
    assert json.loads(file.read_text())["machine"] == {"cpu": "another"}
