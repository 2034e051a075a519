# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the paper's claims: figures/CLAIMS.md, written by rules from measured files alone.

    sentence of the paper | reported | measured here | verdict

A claim names what should be larger than what. The verdict follows from the means and, where there are several runs or
scenes, from their spread; nobody types one in:

    holds in kind         the mean difference has the claimed sign and exceeds its spread
    undecided             it does not exceed its spread
    does not hold here    it has the other sign, beyond its spread
    cannot be tested      there is nothing to measure here; the claim says why

It does not say that a difference is as large as the paper's. A claim that was measured in several ways (PSNR and SSIM,
exact and estimated inputs, day and night) has a row, and a verdict, for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from dofkit import paper
from dofkit.figures import markdown_table
from dofkit.results import ResultsError, read_json, read_results
from dofkit.study.report import Comparison, paper_report

VERDICTS: Mapping[str, str] = {
    "holds in kind": "hold in kind", "undecided": "are undecided", "does not hold here": "do not hold here",
    "cannot be tested": "cannot be tested"}
"""The verdicts, and how the page says them of several claims."""

HEAD = """# What became of the paper's claims

Made by `dofkit claims` from the files in `figures/` and beside the weights; `dofkit/claims.py` holds the rules.
Reported and measured numbers are of different data.

A verdict says whether the measured difference has the claimed sign, and exceeds its spread where there is one; it does
not say that the difference is as large as the paper's. Brackets and ± are 95 % intervals over pictures, scenes or
answers; a deviation is the larger standard deviation over trainings. A claim that was measured in several ways, by
PSNR and SSIM, with exact and estimated inputs, by day and at night, counts once for each.
"""


@dataclass(frozen=True)
class Finding:
    """What was measured for a claim.

    Attributes
    ----------
    measured : the numbers, in words.
    on : on what data, how much of it.
    difference : positive where the claim is right; in the unit of `measured`.
    spread : how large a difference chance alone makes: half an interval, or a deviation; 0 where there is one run.
    """

    measured: str
    on: str
    difference: float
    spread: float = 0.0


@dataclass(frozen=True)
class Statement:
    """A quantitative or comparative sentence of the paper.

    Attributes
    ----------
    section, sentence : where it stands, and what it says, in our words.
    reported : the paper's numbers; "in words" where it gives none.
    find : measures it, from files; None where nothing can be measured.
    why : why not, then.
    """

    section: str
    sentence: str
    reported: str
    find: Callable[[], Finding] | None = None
    why: str = ""


def verdict(finding: Finding) -> str:
    """The verdict of a finding.

    >>> verdict(Finding("", "", 2.0, 1.0)), verdict(Finding("", "", 0.5, 1.0)), verdict(Finding("", "", -2.0, 1.0))
    ('holds in kind', 'undecided', 'does not hold here')
    """
    if abs(finding.difference) <= finding.spread:
        return "undecided"
    return "holds in kind" if finding.difference > 0 else "does not hold here"


def claims_page(figures: Path) -> str:
    """The text of CLAIMS.md, from the files in `figures` and the results beside the weights.

    Raises
    ------
    ResultsError, OSError
        If one of the files is missing.
    """
    rows, counts = [], dict.fromkeys(VERDICTS, 0)
    for statement in statements(figures):
        finding = None if statement.find is None else _found(statement.find, figures)
        said = "cannot be tested" if finding is None else verdict(finding)
        counts[said] += 1
        rows.append({
            "section": statement.section,
            "the paper says": statement.sentence,
            "reported": statement.reported,
            "measured here": statement.why if finding is None else finding.measured,
            "on": "-" if finding is None else finding.on,
            "verdict": said,
        })
    told = ", ".join(f"{number} {name if number == 1 else VERDICTS[name]}" for name, number in counts.items() if number)
    return f"{HEAD}\n{len(rows)} claims: {told}.\n\n{markdown_table(rows)}\n"


def _found(find: Callable[[], Finding], figures: Path) -> Finding:
    try:
        return find()
    except (KeyError, IndexError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
        if isinstance(error, ResultsError):
            raise
        raise ResultsError(f"a file in '{figures}' or beside the weights lacks what a claim needs, or is damaged "
                           f"({type(error).__name__}: {error}): run `dofkit reproduce`, or check the files out again"
                           ) from error


def statements(figures: Path) -> Iterator[Statement]:
    """Every quantitative or comparative sentence of the paper, in its order."""
    read = _Files(figures)
    yield Statement("3.3", "The guided kernel (Eq. 6) removes the boundary effect.", "in words", read.guided_kernel)
    yield Statement("3.3", "The CRF gives smoother layers than the noisy depth.", "in words", read.smoother_layers)
    for name, sentence in (("iou_selfie_best", "On selfies the SPN is better than graph cut."),
                           ("over_coarse", "On selfies the SPN is better than the coarse model.")):
        yield Statement("4.2", sentence, "the cells of Table 1 are not available", partial(read.table1, name))
    yield Statement("4.2", paper.claim("iou_whole_body").sentence, "93.22 and 91.43 % IoU, 1.79 points",
                    read.whole_body)
    yield Statement("4.2", "The masks have fine details.", "in words", read.near_boundary)
    order = f"{paper.WHDR_SPN.value} (with or without Eq. 3 is not said) and {paper.WHDR_COARSE.value} % WHDR"
    yield Statement("4.3", "The SPN orders points slightly better than the coarse model.", order,
                    partial(read.whdr, "ranking"))
    yield Statement("4.3", "It still does after training with Eq. 3.", order, partial(read.whdr, "consistency"))
    yield Statement("4.3", paper.claim("body_depth_consistency").sentence, "in words", read.spread_of_bodies)
    yield Statement("4.3", "Refinement gives the depth sharper boundaries.", "in words", read.step_at_bodies)
    for one, sentence in zip(paper_report().comparisons, (
        "Subjects took the paper's portraits for SLR photographs nearly as often as real ones.",
        "They took the paper's portraits for real far more often than blur without depth.",
    ), strict=True):
        yield Statement("4.4", sentence, _votes(one), why="needs people and the paper's pictures, which were not "
                        "published; `dofkit study` gives a study of the same form to take")
    for name, sentence in (
        ("no depth", "Without depth the picture is worse: the ground at the feet is blurred too much."),
        ("no SPN", "Without the SPN parts of the person are blurred."),
        ("thresholding", "Thresholds instead of the CRF make the picture worse."),
        ("no guided kernel", "Without the guided kernel there are artifacts along the outline."),
    ):
        for source in ("estimated",) if name == "no SPN" else ("exact", "estimated"):
            for time in ("day", "night"):
                yield Statement("4.4", sentence, "in words", partial(read.ablation, name, source, time))
    rivals = {"cnn": "a CNN with mask and depth", "liu": "Liu et al. [21]", "gradient": "Xu et al. [31]"}
    for name, title in rivals.items():
        for measure in ("psnr", "ssim"):
            yield Statement("4.5", f"In {measure.upper()} the RNN filter is nearer to the CRF results than {title}.",
                            "the cells of Table 2 are not available", partial(read.filters, name, measure))
    yield Statement("4.5", "The CNN wrongly blurs the person, the RNN does not.", "one picture", read.on_the_person)
    yield Statement("4.5", paper.claim("running_time").sentence, "8 s and 1.12 s, 7.1 times as fast", read.running_time)


class _Files:
    """The measured files, and what each says of a claim."""

    def __init__(self, figures: Path) -> None:
        self.figures = figures

    def figure(self, name: str) -> dict[str, Any]:
        return read_json(self.figures / f"{name}.json")

    def guided_kernel(self) -> Finding:
        leak = self.figure("fig03_guided_kernel")["metrics"]["leak"]
        return Finding(f"colour error beside the person {leak['guided']:.3f}, uniform kernel {leak['uniform']:.3f}",
                       "8 scenes against their hidden background", leak["uniform"] - leak["guided"])

    def smoother_layers(self) -> Finding:
        pieces = self.figure("kit_layer_solvers")["metrics"]["pieces"]
        smooth, noisy = pieces["CRF"], pieces["threshold"]
        return Finding(f"{smooth} connected pieces, thresholds {noisy}", "a scene with noisy depth", noisy - smooth)

    def table1(self, name: str) -> Finding:
        iou = read_results("table1")["iou"]
        other = "graph cut" if name == "iou_selfie_best" else "coarse"
        ours, theirs = iou["three-way (ours)"]["selfie test"], iou[other]["selfie test"]
        return _compared("IoU", ours, other, theirs, 100, "%", "selfie test set, three trainings")

    def whole_body(self) -> Finding:
        test = read_results("segmentation")["test"]["CCP val"]
        ours, coarse = 100 * test["refined"]["iou"], 100 * test["coarse"]["iou"]
        on = f"{test['photographs']} photographs of CCP, one training"
        return Finding(f"{ours:.2f} % IoU, coarse {coarse:.2f} %", on, ours - coarse)

    def near_boundary(self) -> Finding:
        test = read_results("segmentation")["test"]["selfie test"]
        ours, coarse = (100 * test[mask]["iou_near_boundary"] for mask in ("refined", "coarse"))
        return Finding(f"within 5 px of the boundary {ours:.1f} % IoU, coarse {coarse:.1f} %",
                       f"{test['photographs']} photographs of the selfie test set, one training", ours - coarse)

    def whdr(self, stage: str) -> Finding:
        ours, coarse = (self._depths(stage, which, "whdr") for which in ("refined", "coarse"))
        return _compared("WHDR", ours, "coarse", coarse, 100, "%", "200 test scenes, three trainings", sign=-1)

    def spread_of_bodies(self) -> Finding:
        ours, before = (self._depths(stage, "refined", "spread") for stage in ("consistency", "ranking"))
        return _compared("spread", ours, "Eq. 2 alone", before, 100, "%", "200 test scenes, three trainings", sign=-1)

    def step_at_bodies(self) -> Finding:
        ours, coarse = (self._depths("consistency", which, "step") for which in ("refined", "coarse"))
        return _compared("step at the outline", ours, "coarse", coarse, 1, "", "200 test scenes, three trainings")

    def ablation(self, name: str, source: str, time: str) -> Finding:
        cell = self.figure("ablation")["cells"][source][time]
        part = cell["gains"][name]
        measure = part["argued by"]
        gain = part[measure]
        mean = (f"with it {gain['mean']:+.3g} dB of PSNR" if measure == "psnr" else
                f"with it {gain['mean']:.3g} less colour error {measure} the outline")
        return Finding(f"{mean} ({gain['low']:.3g} to {gain['high']:.3g})",
                       f"{cell['scenes']} {time} scenes, {source} mask and depth, against a lens", gain["mean"],
                       gain["mean"] - gain["low"] if gain["mean"] > 0 else gain["high"] - gain["mean"])

    def filters(self, name: str, measure: str) -> Finding:
        made = read_results("filter")
        test, size = made["test"]["photographs"], made["parameters"]
        ours, other = (test[which][measure]["mean"] for which in ("rnn", name))
        lead = test[name]["lead of rnn"][measure]
        spread = 1.96 * lead["deviation"] / test["pictures"] ** 0.5
        unit = " dB" if measure == "psnr" else ""
        measured = f"{ours:.4g}{unit} against {other:.4g}{unit}, lead {lead['mean']:+.2g} ± {spread:.2g}"
        on = f"{test['pictures']} test photographs, {_trainings(made['validation by seed'], name)}"
        if 2 * size[name] < size["rnn"]:
            on += f"; narrowed here to {size[name]} parameters, ours has {size['rnn']}"
        return Finding(measured, on, lead["mean"], spread)

    def on_the_person(self) -> Finding:
        made = read_results("filter")
        test = made["test"]["photographs"]
        ours, other = (test[which]["person"]["mean"] for which in ("rnn", "cnn"))
        on = f"{test['pictures']} test photographs, {_trainings(made['validation by seed'], 'cnn')}"
        return Finding(f"on the person {ours:.1f} dB, CNN {other:.1f} dB", on, ours - other)

    def running_time(self) -> Finding:
        rows = {(row["what"], row["stage"]): row for row in self.figure("benchmarks")["rows"]}
        row = rows["filter 500x300", "all"]
        measured = (f"{row['crf_to_rnn']:.1f} times as fast as the kit's CRF path, {row['port_to_rnn']:.1f} times as "
                    "a straightforward one")
        return Finding(measured, "one scene of 500 x 300, one CPU core", row["crf_to_rnn"] - 1)

    def _depths(self, stage: str, which: str, measure: str) -> list[float]:
        made = read_results("depth")
        tests = [made["test"], *made["other seeds"]]
        return [fmean(test[stage][kind][which][measure] for kind in test[stage]) for test in tests]


def _trainings(validation: Mapping[str, Sequence[float]], other: str) -> str:
    """How many trainings of ours and of another filter there were, and how far they are apart, if there were several.

    >>> _trainings({"rnn": [38.5], "cnn": [39.3]}, "cnn")
    'one training of each'
    >>> _trainings({"rnn": [38.5, 38.7, 38.9], "cnn": [39.3, 39.3, 39.4]}, "cnn")
    'the first of 3 trainings of ours, the first of 3 trainings of the other (validation deviates by 0.2 dB)'
    >>> _trainings({"rnn": [38.5, 38.7, 38.9], "liu": [33.4]}, "liu")
    'the first of 3 trainings of ours, one training of the other (validation deviates by 0.2 dB)'
    """
    both = validation["rnn"], validation[other]
    deviations = [stdev(each) for each in both if len(each) > 1]
    if not deviations:
        return "one training of each"
    ours, theirs = ("one training" if len(each) < 2 else f"the first of {len(each)} trainings" for each in both)
    return f"{ours} of ours, {theirs} of the other (validation deviates by {max(deviations):.1g} dB)"


def _votes(one: Comparison) -> str:
    """What the paper's counts say of two kinds of pictures, with the interval they allow."""
    shares = paper_report().shares
    first, second = shares[one.first], shares[one.second]
    gap = one.independent
    allows = "chance alone could make it" if gap.low <= 0 <= gap.high else "more than chance makes"
    return (f"{100 * first.independent.value:.1f} and {100 * second.independent.value:.1f} % of {first.of} votes each: "
            f"{gap.percent()} points apart if all answers are independent, {allows}")


def _compared(
    what: str, ours: Sequence[float], other: str, theirs: Sequence[float], scale: float, unit: str, on: str, *,
    sign: int = 1,
) -> Finding:
    """Two means over trainings, and the larger of their deviations."""
    spread = scale * max(stdev(values) if len(values) > 1 else 0.0 for values in (ours, theirs))
    a, b = scale * fmean(ours), scale * fmean(theirs)
    gap = f" {unit}" if unit else ""
    return Finding(f"{what} {a:.4g}{gap}, {other} {b:.4g}{gap}, deviation {spread:.2g}", on, sign * (a - b), spread)
