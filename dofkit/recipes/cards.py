# SPDX-License-Identifier: GPL-3.0-or-later
"""The card of trained weights: what they are, what they learned from, how long, and how well they do.

Written from the report of their making alone (`segmentation.json`), so a card says nothing that was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dofkit.figures import markdown_table

NAMES = {"coarse": "segmentation-coarse", "spn": "segmentation-spn"}
"""Names of the files of weights."""


def card(name: str, report: Mapping[str, Any]) -> str:
    """The card of some weights, from the report of their making."""
    recipe, training = report["recipe"], report["training"][name]
    data = "the selfie set of Shen et al. and Clothing Co-Parsing (training parts), and scenes"
    what = {"coarse": "coarse network: a photograph in, coarse logits of the person out",
            "spn": "spatial propagation network: refines the logits of the coarse network"}[name]
    lines = [
        f"# {NAMES[name]}",
        "",
        f"The segmentation's {what}.",
        "",
        f"- data: {data if recipe['real'] else 'scenes'}; photographs in each pool: "
        f"{report['photographs']['train']}, to choose by: {report['photographs']['validation']}",
        f"- profile {report['profile']}, seed {report['seed']}, sources {report['source']}",
        f"- {training['steps']} steps of {recipe['batch']} photographs, {training['seconds'] / 60:.0f} minutes on "
        f"{training['device']} in {training['precision']}; best validation IoU {training['validation']:.4f} at step "
        f"{training['best step']}",
    ]
    before = report["training"].get("guidance") if name == "spn" else None
    if before:
        lines += [f"- the guidance alone before that: {before['steps']} steps, {before['seconds'] / 60:.0f} minutes"]
    vgg16 = f" --vgg16 {report['vgg16']}" if report["vgg16"] else ""
    lines += [
        f"- made by `dofkit train segmentation --profile {report['profile']} --seed {report['seed']}{vgg16}`",
        "",
    ]
    if "test" in report:
        lines += ["Mean IoU on photographs that were never trained on nor chosen by, at their own size:", ""]
        lines += [markdown_table([_row(name, scores) for name, scores in report["test"].items() if "coarse" in scores])]
        lines += [f"\n{test}: {scores['left empty']:.1%} of {scores['photographs']} masks stayed empty."
                  for test, scores in report["test"].items() if "left empty" in scores]
    return "\n".join(lines) + "\n"


def _row(test: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "test set": test,
        "photographs": scores["photographs"],
        "coarse": scores["coarse"]["iou"],
        "SPN": scores["refined"]["iou"],
        "coarse, within 5 px of the boundary": scores["coarse"]["iou_near_boundary"],
        "SPN, within 5 px of the boundary": scores["refined"]["iou_near_boundary"],
    }


def depth_card(name: str, report: Mapping[str, Any]) -> str:
    """The card of the depth networks, from the report of their making (`depth.json`)."""
    recipe, training = report["recipe"], report["training"]
    stages = {"coarse": ["coarse"], "ranking": ["ranking"], "spn": ["ranking", "consistency"]}[name]
    what = {"coarse": "coarse network: a photograph in, coarse depth out, larger = farther, no unit",
            "ranking": "spatial propagation network after Eq. 2 alone, which Fig. 8 shows beside the finished one",
            "spn": "spatial propagation network: refines the depth of the coarse network"}[name]
    data = "scenes with exact depth, the selfie set of Shen et al. and Clothing Co-Parsing (training parts) by rules"
    lines = [
        f"# depth-{name}",
        "",
        f"The depth's {what}. It began as the segmentation's.",
        "",
        f"- data: {data if recipe['real'] else 'scenes with exact depth'}; photographs in each pool: "
        f"{report['photographs']['train']}, scenes to choose by: {report['photographs']['validation']}",
        f"- profile {report['profile']}, seed {report['seed']}, sources {report['source']}",
        *[f"- {stage}: {training[stage]['steps']} steps, {training[stage]['seconds'] / 60:.0f} minutes on "
          f"{training[stage]['device']} in {training[stage]['precision']}; best validation "
          f"{_validated(stage, training)} at step {training[stage]['best step']}" for stage in stages],
        f"- made by `dofkit train depth --profile {report['profile']} --seed {report['seed']}`",
        "",
    ]
    if "test" in report:
        rows = [{"test set": test, "depth": depth, **scores[key]}
                for test, scores in report["test"]["ranking" if name == "ranking" else "consistency"].items()
                for depth, key in (("lower is nearer", "lower is nearer"), ("coarse", "coarse"), ("SPN", "refined"))]
        lines += ["On scenes that were never trained on nor chosen by:", "", markdown_table(rows)]
    return "\n".join(lines) + "\n"


def _validated(stage: str, training: Mapping[str, Any]) -> str:
    """What chose the weights of a stage of the depth's training."""
    best = training[stage]["validation"]
    return f"objective (Eq. 2 and 3) {-best:.4f}" if stage == "consistency" else f"WHDR {1 - best:.4f}"


def filter_card(name: str, report: Mapping[str, Any]) -> str:
    """The card of a filter that learned the rendering, from the report of its making (`filter.json`)."""
    training, pairs, each = report["training"][name], report["pairs"], report["validation by seed"][name]
    what = {"rnn": "the paper's RNN filter: gates from photograph, mask and depth",
            "liu": "the RNN filter of Liu et al. [21]: gates from the photograph alone",
            "cnn": "the encoder-decoder alone, from photograph, mask and depth",
            "gradient": "the deep edge-aware filter of Xu et al. [31], narrower: from the photograph alone"}[name]
    lines = [
        f"# filter-{name}",
        "",
        f"{what[0].upper()}{what[1:]}. It imitates the CRF renderer.",
        "",
        f"- data: {pairs['train']} pairs by the CRF renderer, profile {pairs['profile']}, seed {pairs['seed']}"
        f"{': scenes, the selfie set of Shen et al., CCP (training parts)' if pairs['real'] else ': scenes'}; "
        f"to choose by: {pairs['validation']}",
        f"- profile {report['profile']}, seed {report['seed']}, sources {report['source']}",
        f"- {report['parameters'][name]} parameters, {training['steps']} steps of {report['recipe']['batch']} squares "
        f"of {report['recipe']['crop']} px, {training['seconds'] / 60:.0f} minutes on {training['device']} in "
        f"{training['precision']}; best validation PSNR {training['validation']:.2f} dB at step "
        f"{training['best step']}",
        *([f"- trained {len(each)} times, from other seeds; best validation PSNR of each: "
           f"{', '.join(f'{psnr:.2f}' for psnr in each)} dB; these weights are the first"] if len(each) > 1 else []),
        f"- made by `dofkit train rnn --profile {report['profile']} --seed {report['seed']}`",
        "",
    ]
    if "test" in report:
        rows = [{"test set": test, "pictures": scores["pictures"], "PSNR, dB": scores[name]["psnr"]["mean"],
                 "SSIM": scores[name]["ssim"]["mean"]} for test, scores in report["test"].items()]
        lines += ["Against the CRF renderer, on pictures that were never trained on nor chosen by:", "",
                  markdown_table(rows)]
    return "\n".join(lines) + "\n"
