# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sources must not do: run what a file says, start a shell, open a page to the network."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from tests.browser.lab import OPTIONS

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "dofkit").rglob("*.py"))
TEXTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile", ".ci/run", "environment.yml")]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "subprocess", "pty", "commands"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "builtins.eval", "builtins.exec"}
STARTS = re.compile(r"os\.(exec|spawn|posix_spawn)\w*")
SERVERS = re.compile(r"\b(jupyter[ -](?:lab|notebook|server)|voila|nbclassic)\b")
"""Commands; prose writes JupyterLab and Voila."""


def faults(source: str) -> list[str]:
    """What of a module's source is not allowed."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [f"imports {name.name}" for name in node.names if name.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            found += [f"imports {node.module}"] if (node.module or "").partition(".")[0] in MODULES else []
        elif isinstance(node, ast.Call):
            name, given = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in CALLS or STARTS.fullmatch(name) or given.get("shell", "False") != "False":
                found.append(f"calls {name}")
            if name == "torch.load" and given.get("weights_only") != "True":
                found.append("torch.load without weights_only=True")
            if name.endswith(("np.load", "numpy.load")) and given.get("allow_pickle") != "False":
                found.append("np.load without allow_pickle=False")
            if given.get("trust_remote_code", "False") != "False":
                found.append("trusts remote code")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_runs_what_a_file_says_or_starts_a_shell(path):
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_notebook_does_either(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert faults("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")) == []


@pytest.mark.parametrize("source", [
    "import pickle", "from pickle import loads", "eval('1')", "exec(x)", "import os; os.system('ls')",
    "os.execv('a', [])", "import subprocess", "run('ls', shell=True)", "torch.load(f)",
    "torch.load(f, weights_only=False)", "np.load(f)",
    "np.load(f, allow_pickle=True)", "load(trust_remote_code=True)",
])
def test_what_is_not_allowed_is_found(source):
    assert faults(source)


def served(text: str) -> list[str]:
    """Commands in a text, not prose: lines of code that start a server of notebooks."""
    commands = re.findall(r"^(?:\t| {4,}|\$ ).*$", text, re.MULTILINE) + re.findall(r"`([^`\n]+)`", text)
    commands += re.findall(r"(?:print|f)\(?f?\"([^\"\n]*)\"", text)
    return [line for line in commands if SERVERS.search(line) and not line.strip().startswith(("#", "-", '"'))]


def is_open(command: str) -> bool:
    """Whether a command lets others in: not bound to this machine, or without Jupyter's token."""
    local = re.search(r"(?:ServerApp\.|--)ip[= ]'?(?:127\.0\.0\.1|localhost)", command) is not None
    return not local or re.search(r"token=(?:''|\"\"|\s|$)|password=''|disable_check|allow_origin", command) is not None


def test_every_documented_server_is_for_this_machine_alone_and_asks_for_a_token():
    texts = [path.read_text(encoding="utf-8") for path in (*TEXTS, *SOURCES) if path.exists()]
    for path in NOTEBOOKS:
        texts += ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    commands = [line for text in texts for line in served(text)]
    assert commands, "the Makefile starts one at least"
    assert [line for line in commands if is_open(line)] == []


@pytest.mark.parametrize("command", ["jupyter lab", "jupyter lab --ip=0.0.0.0", "voila x.ipynb",
                                     "jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.token=''"])
def test_an_open_server_is_found(command):
    assert served(f"`{command}`") and is_open(command)


def test_make_lab_has_the_options_that_the_browser_is_tested_with():
    made = (ROOT / "Makefile").read_text(encoding="utf-8").replace("'", "")
    assert [option for option in OPTIONS if option not in made] == []
