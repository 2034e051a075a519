# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame: what is said twice agrees, nothing of this or that machine is in it, and it starts lightly."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import dofkit
from dofkit import cache as caches
from dofkit import paper, system

CONDA_NAMES = {"torch": "pytorch", "opencv-python": "opencv"}
PIP_ONLY = {"lightning-fabric", "playwright", "pymaxflow", "ziamath"}


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirement(text: str) -> tuple[str, str]:
    name, bound = re.fullmatch(r"([A-Za-z0-9_.-]+)(.*)", text.strip()).groups()
    return name.lower().replace("_", "-"), bound.replace(" ", "")


def direct(project: dict, *more: str) -> dict[str, str]:
    """What is needed by those who work on the kit, and by further extras."""
    extras, listed, names = project["optional-dependencies"], [*project["dependencies"]], {"dev", *more}
    while names:
        for text in extras[names.pop()]:
            inner = re.fullmatch(r"dofkit\[(.*)\]", text)
            names |= set(inner[1].split(",")) if inner else set()
            listed += [] if inner else [text]
    return dict(requirement(text) for text in listed)


def pins(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(requirement(line) for line in lines if line and not line.startswith("#"))


def run(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args], cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=False
    )


def test_conda_and_pip_ask_for_the_same(root, project):
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    by_pip = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    conda = dict(requirement(entry) for entry in environment if isinstance(entry, str))
    python = conda.pop("python")
    conda.pop("pip")
    wanted = direct(project)
    for name in PIP_ONLY:
        assert f"{name}{wanted.pop(name)}" in [entry.lower() for entry in by_pip]
    assert {CONDA_NAMES.get(name, name): bound for name, bound in wanted.items()} == conda
    assert python.startswith(project["requires-python"])
    assert "-e ." in by_pip


def test_every_direct_dependency_is_pinned_within_its_bound(root, project):
    pinned = pins(root)
    for name, bound in direct(project, *project["optional-dependencies"]).items():
        assert name in pinned, f"{name} is not in constraints.txt"
        lowest = re.search(r">=([0-9.]+)", bound).group(1)
        exact = re.fullmatch(r"==([0-9][0-9.]*)", pinned[name]).group(1)
        assert [int(n) for n in exact.split(".")] >= [int(n) for n in lowest.split(".")]


def test_constraints_pin_everything_exactly_and_name_no_machine(root):
    pinned = pins(root)
    assert pinned["torch"] == "==2.13.0"
    assert all(re.fullmatch(r"==[0-9a-z.]+", bound) for bound in pinned.values())
    assert "dofkit" not in pinned


def test_every_import_is_a_declared_dependency(root, project):
    names = {"PIL": "pillow", "cv2": "opencv-python", "maxflow": "pymaxflow", "skimage": "scikit-image"}
    ours = {"dofkit", "tests", *sys.stdlib_module_names}
    # Come with what is declared: IPython, jupyter_* and traitlets with ipykernel, docutils with Sphinx.
    ours |= {"IPython", "docutils", "jupyter_client", "jupyter_core", "traitlets"}
    declared = set(direct(project, *project["optional-dependencies"]))
    for path in sorted((root / "dofkit").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for found in re.findall(r"^\s*(?:import|from(?=.* import )) (\w+)", text, flags=re.MULTILINE):
            if found not in ours:
                assert names.get(found, found).lower().replace("_", "-") in declared, f"{path.name} imports {found}"


def test_licence_is_the_whole_gpl(root, project):
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert project["license"] == "GPL-3.0-or-later"
    assert text.lstrip().startswith("GNU GENERAL PUBLIC LICENSE")
    assert "END OF TERMS AND CONDITIONS" in text
    for path in sorted((root / "dofkit").rglob("*.py")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first == "# SPDX-License-Identifier: GPL-3.0-or-later", path


def test_no_file_names_a_folder_of_one_machine(root):
    somebodys = re.compile(r"(?<![\w.])/(home|root|Users)/\w")
    files = [*root.glob("[!.]*.*"), root / "Makefile", *(root / "figures").glob("*.json")]
    files += [*(root / "notebooks").rglob("*.ipynb"), *(root / "dofkit").rglob("*.py")]
    for path in files:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not somebodys.search(text), path
            assert str(root) not in text, path


def test_the_lines_about_style_hold_for_modules(root):
    for path in sorted((root / "dofkit").rglob("*.py")):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 320, path


def test_speeds_in_the_readme_are_the_measured_ones(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    rows = json.loads((root / "figures" / "benchmarks.json").read_text(encoding="utf-8"))["rows"]
    found = {(row["what"], row["stage"]): row for row in rows}
    whole = [found[f"renderer {size}", "all"] for size in ("500x300", "1024x768")]
    for row in whole:
        assert row["kit_energy"] <= row["port_energy"] * (1 + 1e-6)
    assert f"{whole[0]['ratio']:.0f} times as fast at 500x300 and {whole[1]['ratio']:.0f} times" in text
    assert f"takes {found['renderer 4000x3000', 'alone']['peak_mb'] / 1000:.1f} GB" in text
    small, large = (found[f"filter {size}", "all"] for size in ("500x300", "4000x3000"))
    told = " ".join(text.split())
    assert f"{small['port_to_rnn']:.0f} times as fast as the port at 500x300" in told
    assert f"and {small['crf_to_rnn']:.1f} times as fast as the kit's own renderer" in told
    assert f"({large['crf_to_rnn']:.1f} times at 12 megapixels)" in told
    lens, plain = (found["lens look 360x240", name] for name in ("+ highlights (look lens)", "paper"))
    by = {time: lens[f"{time}_psnr"] - plain[f"{time}_psnr"] for time in ("day", "night")}
    assert f"it is {by['day']:.1f} dB nearer to a lens by day and {by['night']:.1f} dB at night" in told
    assert f"in {found['lens look 500x300', 'all']['lens_to_paper']:.1f} times the time" in told
    assert found["lens look 500x300", "all"]["lens_to_paper"] < 2
    assert found["lens look 4000x3000", "alone"]["peak_mb"] < 3000
    assert f"the paper's ratio is {paper.SECONDS_CRF.value / paper.SECONDS_RNN.value:.1f}" in told


def test_make_help_lists_every_target(root):
    text = (root / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE).group(1).split()
    shown = re.findall(r"^([a-z-]+):.*## ", text, flags=re.MULTILINE)
    assert sorted(phony) == sorted(shown)
    assert {"help", "install", "reproduce", "test", "lab", "book", "lint", "bench", "clean"} <= set(shown)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("data", ["", "nowhere"])
def test_weights_without_data_end_before_any_training(root, data):
    command = ["make", "--no-print-directory", "-o", ".venv/.installed", "weights", f"DATA={data}"]
    result = subprocess.run(command, cwd=root, env=os.environ | {"MAKEFLAGS": ""}, capture_output=True, text=True,
                            check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"no folder '{data}' with the real data sets; name it: make weights DATA=" in result.stderr


def test_import_is_light(root):
    heavy = "{'cv2', 'torch', 'matplotlib', 'scipy', 'numba', 'skimage', 'numpy'}"
    result = run("-c", f"import dofkit, sys; print(sorted({heavy} & set(sys.modules)))", cwd=root)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_public_names_come_from_where_they_are_said_to(root):
    assert set(dofkit.__all__) - {"__version__"} == set(dofkit._ROOMS)
    for name in dofkit.__all__:
        assert getattr(dofkit, name) is not None
        assert name in dir(dofkit)
    with pytest.raises(AttributeError, match="no attribute 'portrait'"):
        dofkit.portrait  # noqa: B018


def test_numba_keeps_its_code_where_the_user_may_write(root, tmp_path):
    show = "import dofkit, os; print(os.environ['NUMBA_CACHE_DIR'])"
    result = run("-c", show, cwd=root, DOFKIT_CACHE=str(tmp_path), NUMBA_CACHE_DIR="")
    assert result.stdout.strip() == str(tmp_path / "numba")
    result = run("-c", show, cwd=root, NUMBA_CACHE_DIR="mine")
    assert result.stdout.strip() == "mine"


def broken_opencv(folder: Path) -> str:
    """A folder for PYTHONPATH in which cv2 lacks its library and no library can be opened by name."""
    (folder / "cv2.py").write_text(
        'raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")\n'
    )
    (folder / "sitecustomize.py").write_text(
        "import ctypes\n\ndef missing(name, *more, **options):\n    raise OSError(name)\n\n"
        "ctypes.CDLL = missing\n"
    )
    return str(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries are those of Linux")
@pytest.mark.parametrize(
    "command",
    [("-c", "import dofkit"), ("-m", "dofkit", "--help"), ("-c", "from dofkit.photo import read_photo")],
)
def test_missing_system_library_is_one_line_with_the_remedy(root, tmp_path, command):
    result = run(*command, cwd=root, PYTHONPATH=broken_opencv(tmp_path))
    assert result.returncode == 1
    assert result.stderr == (
        "dofkit: OpenCV needs libGL.so.1 of the system, which is missing; "
        "on Debian and Ubuntu: `sudo apt install libgl1 libglib2.0-0`\n"
    )


def test_another_fault_of_opencv_is_passed_on(monkeypatch):
    assert "cannot be imported: broken" in system.explain(ImportError("broken"))
    monkeypatch.setattr(system, "_loads", lambda name: False)
    system.require_system_libraries()  # the libraries look absent, but cv2 can be imported: nothing is said


def test_cache_is_the_wish_of_the_user(cache):
    assert caches.cache_dir() == cache
    assert cache.is_dir()


def test_a_cache_that_cannot_be_used_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DOFKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match="set DOFKIT_CACHE to another one"):
        caches.cache_dir()


def test_cache_falls_back_to_the_temporary_folder(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("")  # a home that is no folder: nothing can be made in it
    monkeypatch.delenv("DOFKIT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(caches.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    assert caches.cache_dir().parent == tmp_path / "temporary"


def test_studies_lie_with_the_data_of_the_user_and_not_in_the_cache(cache, tmp_path, monkeypatch):
    monkeypatch.delenv("DOFKIT_STUDIES", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert caches.studies_dir() == tmp_path / "data" / "dofkit" / "studies"
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert caches.studies_dir() == cache / "studies"  # better than no study
    monkeypatch.setenv("DOFKIT_STUDIES", str(tmp_path / "mine"))
    assert caches.studies_dir() == tmp_path / "mine"
    monkeypatch.setenv("DOFKIT_STUDIES", str(tmp_path / "home"))
    with pytest.raises(OSError, match="set DOFKIT_STUDIES to another one"):
        caches.studies_dir()
