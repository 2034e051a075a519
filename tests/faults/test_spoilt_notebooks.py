# SPDX-License-Identifier: GPL-3.0-or-later
"""Spoilt notebooks, manifests and parameters end in what was asked for or in one clear error."""

from __future__ import annotations

import ast
import json
import warnings
from dataclasses import asdict

import nbformat
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from papermill.translators import PythonTranslator

from dofkit.commands.reproduce import parse_parameter
from dofkit.manifest import ManifestError, check_figures, read_manifest
from dofkit.notebooks import NotebookError, normalised, read_notebook, write_notebook
from dofkit.reproduce import Plan, _changed, check_parameters, parameters_of
from tests.faults.damage import damaged, fuzz, odd_json, outcome

NOTEBOOK = json.loads(nbformat.writes(new_notebook(cells=[
    new_code_cell('profile = "quick"  # str\nseed = 0\nradii: list = [1, 2]', metadata={"tags": ["parameters"]}),
    new_markdown_cell("# Title"),
    new_code_cell("print(seed)", outputs=[new_output("stream", text="0\n"),
                                          new_output("display_data", data={"text/plain": "x"})]),
], metadata={"kernelspec": {"name": "python3", "display_name": "P", "language": "python"},
             "language_info": {"name": "python"}})))


def opened(path):
    """Read, look at the parameters, bring into the form that is committed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbformat tells of what it mends
        notebook = read_notebook(path)
        parameters = parameters_of(path)
        check_parameters(Plan([path], path.parent, offered=dict.fromkeys(parameters, 0)))
        write_notebook(path.with_name("b.ipynb"), normalised(notebook))
    return parameters


def test_the_notebook_is_good_before_it_is_spoilt(tmp_path):
    (tmp_path / "a.ipynb").write_text(json.dumps(NOTEBOOK))
    assert set(opened(tmp_path / "a.ipynb")) == {"profile", "seed", "radii"}


@fuzz(40)
@given(st.data())
def test_a_spoilt_notebook(tmp_path, data):
    spoilt = data.draw(st.one_of(odd_json(NOTEBOOK), damaged(json.dumps(NOTEBOOK).encode())))
    (tmp_path / "a.ipynb").write_bytes(spoilt)
    found = outcome("notebook", lambda: opened(tmp_path / "a.ipynb"), NotebookError)
    assert isinstance(found, (dict, NotebookError))
    assert (tmp_path / "a.ipynb").read_bytes() == spoilt


PARAMETER = '[[figure]]\nname = "fig01_a"\ntitle = "T"\nstatus = "not yet made"\npaper = "Fig. 1"\n\n'
ODD_TOML = ("5", "true", "[]", "{}", '""', "[[1]]", '"made"', "1979-05-27", "nan", "[" * 3000, '"\\u0000"', '"../../x"')


@fuzz(30)
@given(st.data())
def test_a_spoilt_manifest(tmp_path, data):
    (tmp_path / "fig01_a.png").write_bytes(b"")
    (tmp_path / "fig01_a.json").write_bytes(data.draw(odd_json({"notebook": "01"})))
    text = PARAMETER + PARAMETER.replace("01", "02").replace("not yet made", "made") + 'notebook = "01"\n'
    way = data.draw(st.integers(0, 3))
    if way == 0:
        content = data.draw(damaged(text.encode()))
    elif way == 1:
        field = data.draw(st.sampled_from(["name", "title", "status", "paper", "notebook"]))
        content = f"{text}\n[[kit]]\nname = 'x'\ntitle = 'x'\nstatus = 'made'\n".replace(
            f"{field} = ", f"{field} = {data.draw(st.sampled_from(ODD_TOML))} # ").encode()
    elif way == 2:
        section = data.draw(st.sampled_from(["figure", "kit", "x"]))
        content = f"{section} = {data.draw(st.sampled_from(ODD_TOML))}".encode()
    else:
        head = data.draw(st.sampled_from(["[figure]", "[figure.x]", "[[x]]"]))
        content = text.replace("[[figure]]", head, 1).encode()
    (tmp_path / "manifest.toml").write_bytes(content)

    def read():
        items = read_manifest(tmp_path / "manifest.toml")
        return [asdict(item) for item in items.values()], check_figures(tmp_path, items, {"01"})

    assert isinstance(outcome("manifest", read, ManifestError), (tuple, ManifestError))


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
VALUES = st.one_of(
    st.text(max_size=40), st.sampled_from(["~", "~nobody-of-that-name", "(" * 300, "-" * 5000 + "1", "9" * 5000,
                                           "1e999", "nan", "b'x'", "{1, 2}", "1j", "...", "'" * 300,
                                           "[" * 100 + "]" * 100,
                                           f"[{'1, ' * 200}]", "__import__('os').system('false')",
                                           "\\x", "'\\d'",
                                           "None", "'\\ud800'", "{'a': [1, (2,)]}", "f'{1}'", "", "=", "\n",
                                           "a" * 300]),
    st.one_of(PLAIN, st.lists(PLAIN, max_size=3), st.lists(st.lists(PLAIN, max_size=2), max_size=2),
              st.dictionaries(st.text(max_size=4), PLAIN | st.lists(PLAIN, max_size=2), max_size=3)).map(repr))


@fuzz(60)
@given(name=st.one_of(st.just("seed"), st.text(max_size=6), st.sampled_from(["seed ", "class", "a.b", "größe"])),
       sign=st.sampled_from(["=", "=", "=", "", "=="]), value=VALUES)
def test_any_parameter_becomes_a_line_of_python_that_says_it(tmp_path, name, sign, value):
    parsed = outcome("parameter of notebooks", lambda: parse_parameter(f"{name}{sign}{value}"), NotebookError)
    if isinstance(parsed, NotebookError):
        return
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    plan = Plan([path], tmp_path, dict([parsed]))
    changed = outcome("parameter against a notebook", lambda: check_parameters(plan) or _changed(path, plan),
                      NotebookError)
    if not isinstance(changed, NotebookError):
        written = ast.parse(PythonTranslator.codify(changed))
        assert all(isinstance(line, ast.Assign) for line in written.body) and len(written.body) == len(changed)
