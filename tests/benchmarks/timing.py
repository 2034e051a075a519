# SPDX-License-Identifier: GPL-3.0-or-later
"""How things are measured here: CPU seconds, in turn, medians; memory in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def alternate(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Median CPU and wall seconds of each contender, run in turn after one uncounted round."""
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            started = time.perf_counter(), time.process_time()
            run()
            if turn:
                wall[name].append(time.perf_counter() - started[0])
                cpu[name].append(time.process_time() - started[1])
    median = statistics.median
    return {name: {"cpu_s": median(cpu[name]), "wall_s": median(wall[name])} for name in contenders}


def in_a_process(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module in a fresh interpreter and return the JSON it prints, with its peak resident set in MB."""
    code = (
        "import json, re, runpy, sys; sys.argv = sys.argv[1:]; "
        "result = runpy.run_module(sys.argv[0], run_name='measured')['measure'](*sys.argv[1:]); "
        "status = open('/proc/self/status').read(); "  # getrusage would count the parent's peak as well
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) / 1024; "
        "print(json.dumps({**result, 'peak_mb': peak}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, module, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
