# SPDX-License-Identifier: GPL-3.0-or-later
"""Any command line ends with exit code 0, 1, 2 or 130 and one line of what was wrong; never with a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dofkit import cli
from dofkit.cli import main
from dofkit.maps import write_map
from tests.faults.damage import bounded, fuzz
from tests.faults.test_spoilt_data import SETS
from tests.faults.test_spoilt_pictures import GOOD
from tests.faults.test_spoilt_studies import ANSWERS, KEY, STUDY, laid_out

FILES = ("a.jpg", "b.png", "spoilt.png", "text.txt", "folder", "missing.png", "", "x" * 300, "a.npy", "spoilt.npy",
         "bomb.png", "answers.csv", "spoilt.csv", "\udcff.png", "new/sub/x.png", "-", "~nobody/x", "out.png", "out.tif",
         "out.json", "w.safetensors", "/dev/null", "/proc/self/mem")
NUMBERS = ("0", "1", "-1", "2", "6", "nan", "inf", "-inf", "1e400", "1000000000000", "9" * 5000, "x", "", "0x10", "1.5")
OPTIONS = {
    "render": {"-o": FILES, "--mode": ("auto", "selfie", "x"), "--method": ("crf", "rnn"), "--mask": FILES,
               "--depth": FILES, "--depth-larger-is": ("nearer", "x"), "--layers": NUMBERS, "--max-radius": NUMBERS,
               "--space": ("linear", "x"), "--look": ("lens", "paper"),
               "--focus": ("1,2", "nan,nan", "1", "x,y", "9e9,9e9"),
               "--blades": NUMBERS, "--save-mask": FILES, "--save-depth": FILES, "--json": None, "--force": None,
               "--coarse": ("network", "graphcut", "x", "transformers:", "transformers:folder", "transformers:x" * 99)},
    "evaluate segmentation": {"--images": FILES, "--masks": FILES, "--mask-suffix": ("", "_mask", "\udcff"),
                              "--threshold": NUMBERS, "--json": None, "--coarse": ("graphcut", "x")},
    "evaluate depth": {"--images": FILES, "--depths": FILES, "--larger-is": ("nearer", "x"),
                       "--coarse": ("prior", "x")},
    "evaluate diw": {"": FILES, "--images": FILES, "--greater-is": ("nearer",), "--coarse": ("prior",)},
    "evaluate ablation": {"--day": NUMBERS, "--night": NUMBERS, "--out": FILES, "--split": ("test", "train")},
    "train": {"": ("segmentation", "depth", "table1", "rnn", "x"), "--profile": ("quick", "full", "x"), "--out": FILES,
              "--data-root": FILES, "--seed": NUMBERS, "--devices": NUMBERS, "--pairs": FILES, "--vgg16": FILES},
    "pairs": {"--profile": ("quick", "full"), "--out": FILES, "--seed": NUMBERS, "--workers": NUMBERS,
              "--data-root": FILES, "--scheduler": ("tcp://x", "x", "")},
    "study build": {"--out": FILES, "--each": NUMBERS, "--size": NUMBERS, "--seed": NUMBERS, "--photographs": FILES,
                    "--slr": FILES},
    "study report": {"": FILES, "--study": FILES, "--figure": FILES, "--json": None},
    "reproduce": {"--only": ("00", "fig03", "x", "", "["), "-p": ("seed=1", "seed", "=", "x=1", "profile=full"),
                  "--time-limit": NUMBERS, "--workers": NUMBERS, "--output": FILES, "--update": None,
                  "--solutions": None, "--data-root": FILES},
    "claims": {}, "": {"--version": None, "--help": None, "x": None, "": None},
}


USUAL = {"render": "a.jpg -o out.png", "evaluate segmentation": "--images folder --masks folder",
         "evaluate depth": "--images folder --depths folder --larger-is nearer", "evaluate diw": "answers.csv",
         "train": "depth --out new", "pairs": "--out new", "study build": "--out new", "study report": "answers.csv"}
"""What a command does not begin without; what is drawn stands behind it and wins."""


@st.composite
def command_lines(draw):
    """A subcommand, its options in any order with likely and unlikely values, and at times something else."""
    command = draw(st.sampled_from(sorted(OPTIONS)))
    known, words = OPTIONS[command], command.split()
    usual = draw(st.integers(0, 4)) > 0
    words += USUAL.get(command, "").split() if usual else []
    first = known.get("", FILES if command == "render" else ())
    for word in draw(st.lists(st.sampled_from(first), max_size=2)) if first and not usual else ():
        words.append(word)
    for name in draw(st.lists(st.sampled_from(sorted(known)), max_size=5)) if known else ():
        if name:
            words.append(name)
            if known[name] is not None:
                words.append(draw(st.sampled_from(known[name])))
    if draw(st.integers(0, 9)) == 0:
        words.insert(draw(st.integers(0, len(words))), draw(st.text(max_size=8)).replace("\0", ""))
    return words


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with good and bad files to name; whatever takes minutes ends at once instead."""
    for name, content in (("a.jpg", GOOD["JPEG"]), ("b.png", GOOD["PNG 8"]), ("spoilt.png", GOOD["PNG 8"][:90]),
                          ("text.txt", b"text"), ("spoilt.npy", b"\x93NUMPY"), ("spoilt.csv", b"\xff,x\n"),
                          ("bomb.png", GOOD["PNG 8"][:16] + b"\x7f\xff\xff\xff" * 2 + GOOD["PNG 8"][24:]),
                          ("folder/a.jpg", GOOD["JPEG"]), ("w.safetensors", b"x" * 30)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    write_map(tmp_path / "a.npy", np.ones((32, 24), np.float32))
    laid_out(tmp_path, json.dumps(STUDY).encode(), json.dumps(KEY).encode(), ANSWERS)
    (tmp_path / "DIW_test").mkdir()
    (tmp_path / "DIW_test" / "a.thumb").write_bytes(SETS["diw"]["DIW_test/a.thumb"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOFKIT_DATA", raising=False)
    monkeypatch.setenv("DOFKIT_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setenv("DOFKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    for module in ("dofkit.datasets.scene_cache", "dofkit.recipes.ablation"):
        end_at_once(monkeypatch, module, "portrait_scene")
    end_at_once(monkeypatch, "dofkit.workers", "ProcessPoolExecutor")
    end_at_once(monkeypatch, "dofkit.study.material", "_of_scenes")
    end_at_once(monkeypatch, "dofkit.reproduce", "run_notebook")
    return tmp_path


def end_at_once(monkeypatch, module, name):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{module}.{name}", stopped)


@fuzz(60)
@given(words=command_lines())
def test_any_command_line(place, words, capfd):
    with bounded(f"command line, {words[0] if words and words[0] in cli.COMMANDS else 'other'}"):
        try:
            code = main(words)
        except SystemExit as end:  # argparse: help, version, a wrong option
            code = end.code
    said = capfd.readouterr().err
    assert code in (0, 1, 2, 130), said
    assert "Traceback" not in said
    if code == 2:
        assert said.splitlines()[-1].startswith("dofkit: ") and len(said.splitlines()[-1]) > 20
    assert not [path.name for path in place.rglob(".*.part")]


@pytest.mark.parametrize(("words", "code"), [
    (["render", "bomb.png", "-o", "out.png"], 2), (["render", os.fsdecode(b"\xff.png"), "-o", "o.png"], 2),
    (["study", "report", "spoilt.csv"], 2), (["claims", "x"], 2),
])
def test_a_real_process_says_one_line(place, words, code):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "LC_ALL": "C"}
    ended = subprocess.run([sys.executable, "-m", "dofkit", *words], cwd=place, env=environment, check=False,
                           capture_output=True, timeout=120)
    assert ended.returncode == code and ended.stdout == b""
    assert ended.stderr.count(b"\n") == 1 and ended.stderr.startswith(b"dofkit: "), ended.stderr
