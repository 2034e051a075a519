# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory rendering takes, and what is said where there is less."""

import json
from pathlib import Path

import numpy as np
import psutil
import pytest

from dofkit import PhotoError, PortraitMode, memory
from dofkit.memory import BYTES, free_memory
from dofkit.scenes import portrait_scene

BENCHMARKS = Path(__file__).resolve().parents[1] / "figures" / "benchmarks.json"


def test_a_picture_that_does_not_fit_into_memory_is_refused_before_any_work(monkeypatch):
    scene = portrait_scene(2, (240, 160), "whole-body", "validation")
    mask = scene.mask.astype(np.float32)
    monkeypatch.setattr(memory, "free_memory", lambda: 6_000_000)
    stages = []
    with pytest.raises(PhotoError, match=r"0\.0 megapixels takes 0\.0 GB .*: scale the photograph down to 0\.0 mega"):
        PortraitMode(look="lens")(scene.image, mask, scene.depth, progress=stages.append)
    assert stages == []
    PortraitMode(max_radius=5.0)(scene.image, mask, scene.depth)  # this look takes less


def test_memory_is_that_of_the_machine_or_of_the_container(tmp_path):
    machine = free_memory(tmp_path)
    assert 0 < machine <= psutil.virtual_memory().total
    told = {"max": "3000", "current": "2500", "stat": "anon 1800\ninactive_file 400\n"}
    for name, text in told.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert free_memory(tmp_path) == 900
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) > 900


@pytest.mark.parametrize(("case", "stage", "look"), [
    ("renderer", "alone", "paper"), ("filter", "crf, alone", "paper"), ("filter", "rnn, alone", "paper"),
    ("lens look", "alone", "lens")])
def test_what_is_said_of_memory_was_measured(case, stage, look):
    rows = json.loads(BENCHMARKS.read_text(encoding="utf-8"))["rows"]
    peaks = {row["what"]: row["peak_mb"] * 2**20 for row in rows if row["stage"] == stage}
    small = peaks.get(f"{case} 500x300", peaks["renderer 500x300"] if case != "filter" else None)
    each = (peaks[f"{case} 4000x3000"] - small) / (4000 * 3000 - 500 * 300)
    assert 0.8 * BYTES[look] < each <= BYTES[look]
