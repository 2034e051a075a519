# SPDX-License-Identifier: GPL-3.0-or-later
"""What one photograph costs in each training of profile paper, and what DIW's images would: for recipes/SCALE.md.

Sizes, batches, steps and channels of that profile are the kit's choice, since the paper states none.

    python -m tests.benchmarks.paper            # minutes, 6 GB; writes scale.json and the tables of SCALE.md

A step is forward, backward and AdamW, at the profile's sizes, with a batch of one. What a further photograph takes is
the peak without the process before the step, the gradients and AdamW's two moments. Operations are those of the
convolutions, as torch counts them.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dofkit import paper
from dofkit.batches import draw, hold
from dofkit.coarse.network import CoarseNetwork
from dofkit.datasets import Item, resize, scenes
from dofkit.datasets.folders import read_image
from dofkit.figures import markdown_table
from dofkit.files import write_bytes
from dofkit.losses import body_consistency_loss, mask_cross_entropy, ranking_loss
from dofkit.photo import write_photo
from dofkit.recipes import depth, rnn_filter, segmentation
from dofkit.recipes.depth import PAIRS
from dofkit.rnn_filter import FILTERS
from dofkit.spn import SpatialPropagation
from dofkit.timing import machine
from tests.benchmarks.timing import ROOT, in_a_process

MASK, ORDER, FILTER = (module.RECIPES["paper"] for module in (segmentation, depth, rnn_filter))
PAGE = ROOT / "dofkit" / "recipes" / "SCALE.md"
COSTS = PAGE.with_name("scale.json")
BEGIN, END = "<!-- written by `python -m tests.benchmarks.paper` -->\n", "<!-- end -->\n"
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
DIW = int(paper.DIW_TRAIN.value)

STAGES: dict[str, tuple[tuple[int, int], int, int]] = {
    "segmentation, coarse": (MASK.shape, MASK.batch, MASK.coarse_steps[0]),
    "segmentation, SPN": ((MASK.crop, MASK.crop), MASK.batch, MASK.spn_steps[0]),
    "depth, coarse": (ORDER.shape, ORDER.batch, ORDER.coarse_steps[0]),
    "depth, SPN": (ORDER.shape, ORDER.batch // 2, ORDER.ranking_steps[0] + ORDER.consistency_steps[0]),
    **{f"filter, {name}": ((FILTER.crop, FILTER.crop), FILTER.batch, FILTER.steps) for name in FILTERS},
}
"""For each stage the size of what it learns on, the photographs in a batch, and its steps."""


def main() -> None:
    """Measure, and write the costs and the page."""
    torch.set_num_threads(1)
    costs = {"machine": machine(), "steps": steps(), "photograph": reading()}
    write_bytes(COSTS, (json.dumps(costs, indent=1) + "\n").encode())
    write_bytes(PAGE, page(PAGE.read_text(encoding="utf-8"), costs).encode())


def steps() -> list[dict[str, Any]]:
    """A row for each stage."""
    rows: list[dict[str, Any]] = []
    for stage, ((height, width), batch, taken) in STAGES.items():
        one = in_a_process("tests.benchmarks.paper", stage)
        further = one["peak_mb"] - one.pop("before_mb") - 12 * one["parameters"] / 2**20
        rows.append({"stage": stage, "height": height, "width": width, "batch": batch, "steps": taken, **one,
                     "further_mb": further})
        print(rows[-1], flush=True)
    return rows


def measure(stage: str) -> dict[str, float]:
    """In a process of its own: CPU seconds and operations of a step with one photograph, and memory before it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, loss = learner(stage)
    optimizer = torch.optim.AdamW(network.parameters())
    network.train()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    started = time.process_time()
    with FlopCounterMode(display=False) as counter:
        loss().backward()
    optimizer.step()
    return {"cpu_s": time.process_time() - started, "gflop": counter.get_total_flops() / 1e9,
            "parameters": sum(p.numel() for p in network.parameters()), "before_mb": pages * PAGE_SIZE / 2**20}


def learner(stage: str) -> tuple[nn.Module, Callable[[], Tensor]]:
    """The network of a stage, and its loss on one random photograph."""
    kind, name = stage.split(", ", 1)
    size = STAGES[stage][0]
    image, mask, guess = torch.rand(1, 3, *size), (torch.rand(1, 1, *size) > 0.5).float(), torch.randn(1, 1, *size)
    if kind == "filter":
        learned: nn.Module = FILTERS[name](**FILTER.arguments[name])
        guides = torch.cat([mask, guess], 1)
        return learned, lambda: (learned(image, guides) - image).square().mean()
    if name == "coarse":
        network: nn.Module = CoarseNetwork(width=MASK.coarse_width)
        arguments: tuple[Tensor, ...] = (image,)
    else:
        network, arguments = SpatialPropagation(width=MASK.width, channels=MASK.channels), (image, guess)
    if kind == "segmentation":
        return network, lambda: mask_cross_entropy(network(*arguments), mask)
    points = [torch.randint(limit, (1, PAIRS, 1)) for limit in (*size, *size)]
    pairs = torch.cat([*points, 2 * torch.randint(2, (1, PAIRS, 1)) - 1], -1)

    def ordered() -> Tensor:
        z = network(*arguments)
        return ranking_loss(z, pairs) + ORDER.weight * body_consistency_loss(z, mask, ORDER.delta)

    return network, ordered


def reading(n: int = 8) -> dict[str, float]:
    """CPU seconds to read a JPEG of 500 x 375 and hold it, and to draw one for a batch; bytes that it takes held."""
    drawn = [scenes(1, split="train", kind="selfie", size=(375, 500))[0]]
    with tempfile.TemporaryDirectory() as name:
        file = write_photo(Path(name) / "a.jpg", drawn[0].image)
        started = time.process_time()
        for _ in range(n):
            resize(Item(read_image(Path(file)), drawn[0].mask, pairs=drawn[0].pairs), ORDER.shape)
        read = (time.process_time() - started) / n
    pool = hold(drawn, ORDER.shape)
    started = time.process_time()
    draw([pool], n, seed=0, step=1, pairs=PAIRS)
    spent = (time.process_time() - started) / n
    assert pool.pairs is not None
    held = pool.images.nbytes + pool.masks.nbytes
    return {"read_cpu_s": read, "draw_cpu_s": spent, "held_mb": held / 1e6}


def page(text: str, costs: dict[str, Any]) -> str:
    """The page with the tables of these costs in the place of the old ones."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + tables(costs) + END + rest.partition(END)[2]


def tables(costs: dict[str, Any]) -> str:
    """What each training costs, and what DIW would."""
    rows = []
    for row in costs["steps"]:
        many = row["batch"] * row["steps"]
        whole = (row["peak_mb"] + (row["batch"] - 1) * row["further_mb"]) / 1000
        rows.append({
            "training": row["stage"], "size": f"{row['width']} x {row['height']}", "batch": str(row["batch"]),
            "steps": f"{row['steps']:,}", "parameters, M": f"{row['parameters'] / 1e6:.1f}",
            "core s a photograph": f"{row['cpu_s']:.2f}", "GFLOP a photograph": f"{row['gflop']:,.0f}",
            "GB, batch of 1": f"{row['peak_mb'] / 1000:.1f}", "GB, whole batch": f"{whole:.0f}",
            "core days": f"{many * row['cpu_s'] / 86400:,.0f}", "PFLOP": f"{many * row['gflop'] / 1e6:,.0f}"})
    each, by = costs["photograph"], {row["stage"]: row for row in costs["steps"]}
    diw = {"read once, made smaller": f"{DIW * each['read_cpu_s'] / 3600:.1f} core hours",
           "held in memory, 8 bits": f"{DIW * each['held_mb'] / 1000:.0f} GB",
           "an epoch: drawn and varied": f"{DIW * each['draw_cpu_s'] / 3600:.1f} core hours, "
                                          f"{1 / each['draw_cpu_s']:.0f} a second"}
    for stage in ("depth, coarse", "depth, SPN"):
        row = by[stage]
        diw[f"an epoch: {stage}"] = (f"{-(-DIW // row['batch']):,} steps, {DIW * row['cpu_s'] / 86400:,.0f} core days, "
                                     f"{DIW * row['gflop'] / 1e6:,.0f} PFLOP")
    of = [{f"DIW's {DIW:,} images": name, "cost": cost} for name, cost in diw.items()]
    cpu = costs["machine"]["cpu"]
    told = (f"Measured in CPU seconds on one core, which others used too, of: {cpu}. Sizes, batches and steps are the "
            "kit's choice.")
    return "\n\n".join([told, markdown_table(rows), markdown_table(of)]) + "\n"


if __name__ == "__main__":
    main()
