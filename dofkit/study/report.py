# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of a study say: the paper's three numbers, with intervals, and a figure of them.

Every share and difference has two intervals. The narrow one takes all answers as independent: it is true of these
subjects and these pictures. The wide one is for other subjects and other pictures (`dofkit.study.crossed`), and is
never narrower than the first.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from dofkit import paper
from dofkit.study.answers import AnswersError, read_answers
from dofkit.study.crossed import crossed_difference, crossed_share
from dofkit.study.folder import KINDS, Study, read_key
from dofkit.study.session import SIMULATED
from dofkit.study.statistics import Estimate, difference, p_value, share

PAIRS = (("lens", "ours"), ("ours", "no depth"))
"""What is compared: can ours be told from a lens, and can ours be told from blur without depth."""
LABELS = {"lens": "through a lens", "ours": "ours", "no depth": "without depth"}


@dataclass(frozen=True)
class Share:
    """Votes "real" for one kind of picture.

    Attributes
    ----------
    real, of : counts.
    independent : share with Wilson's interval.
    crossed : share with the interval for other subjects and pictures; None where the single answers are not known or
        there is one subject or one picture.
    """

    real: int
    of: int
    independent: Estimate
    crossed: Estimate | None = None


@dataclass(frozen=True)
class Comparison:
    """One kind's share minus another's; `p` is that of Boschloo's test, the intervals are those of `Share`."""

    first: str
    second: str
    independent: Estimate
    p: float
    crossed: Estimate | None = None


@dataclass(frozen=True)
class Report:
    """What a study came to.

    Attributes
    ----------
    shares : by kind, in the order of `KINDS`.
    comparisons : of `PAIRS`.
    subjects : names of those who have seen all pictures; they alone are counted.
    unfinished : names of the others.
    material : of the study; "paper" for the paper's.
    simulated : whether nobody has seen the pictures.
    """

    shares: Mapping[str, Share]
    comparisons: tuple[Comparison, ...]
    subjects: tuple[str, ...]
    unfinished: tuple[str, ...]
    material: str
    simulated: bool = False


@functools.cache
def paper_report() -> Report:
    """The paper's study, from its reported counts alone: "lens" is SLR.

    Examples
    --------
    >>> for one in paper_report().comparisons:
    ...     print(one.first, "-", one.second, one.independent.percent())
    lens - ours 2.7 (-4.7 to 10.1)
    ours - no depth 65.9 (58.1 to 72.1)
    """
    of = int((paper.STUDY_SUBJECTS.value or 0) * (paper.STUDY_IMAGES.value or 0))
    counts = {kind: (paper.STUDY_COUNTS["SLR" if kind == "lens" else kind], of) for kind in KINDS}
    return Report(_shares(counts, {}), _comparisons(counts, {}), (), (), "paper")


def read_report(file: Path, study: Study) -> Report:
    """The report of a file of answers.

    Parameters
    ----------
    file : the CSV.
    study : the study that it answers, with its key.

    Raises
    ------
    StudyError
        If the answers or the key cannot be read, a picture is not of this study, nobody has seen all pictures, or
        simulated answers are mixed with others.
    """
    key, answers = read_key(study), read_answers(file)
    if strange := next((one.picture for one in answers if one.picture not in key), None):
        raise AnswersError(f"'{file}' has answers to picture {strange!r}, which is not in '{study.folder}': "
                           "name the study they belong to with --study")
    counted = Counter(one.subject for one in answers)
    subjects = tuple(name for name, number in counted.items() if number == len(study.pictures))
    unfinished = tuple(name for name in counted if name not in subjects)
    if not subjects:
        raise AnswersError(f"nobody has seen all {len(study.pictures)} pictures yet: '{file}' has {len(answers)} "
                           f"answers by {len(unfinished)} people")
    simulated = {name.startswith(SIMULATED) for name in subjects}
    if len(simulated) > 1:
        raise AnswersError(f"'{file}' mixes simulated answers with those of people: take them apart first")
    says = {(one.subject, one.picture): one.answer == "real" for one in answers}
    tables = {kind: np.array([[says[who, name] for name in study.pictures if key[name] == kind] for who in subjects])
              for kind in KINDS if kind in key.values()}
    counts = {kind: (int(votes.sum()), votes.size) for kind, votes in tables.items()}
    known = {kind: votes for kind, votes in tables.items() if min(votes.shape) > 1}
    return Report(_shares(counts, known), _comparisons(counts, known), subjects, unfinished, study.material,
                  simulated == {True})


def _shares(counts: Mapping[str, tuple[int, int]], tables: Mapping[str, NDArray[np.bool_]]) -> dict[str, Share]:
    found = {}
    for kind, (real, of) in counts.items():
        alone = share(real, of)
        found[kind] = Share(real, of, alone, _wider(alone, crossed_share(tables[kind])) if kind in tables else None)
    return found


def _comparisons(
    counts: Mapping[str, tuple[int, int]], tables: Mapping[str, NDArray[np.bool_]]
) -> tuple[Comparison, ...]:
    found = []
    for first, second in PAIRS:
        if first in counts and second in counts:
            both = first in tables and second in tables
            alone = difference(*counts[first], *counts[second])
            wide = _wider(alone, crossed_difference(tables[first], tables[second])) if both else None
            found.append(Comparison(first, second, alone, p_value(*counts[first], *counts[second]), wide))
    return tuple(found)


def _wider(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(one.value, min(one.low, other.low), max(one.high, other.high))


def report_lines(report: Report) -> list[str]:
    """The report in words, one line each."""
    number = len(report.subjects)
    who = ("simulated " if report.simulated else "") + ("subject has" if number == 1 else "subjects have")
    lines = [f"{number} {who} seen all pictures; {len(report.unfinished)} not yet, and not counted"]
    for kind, one in report.shares.items():
        wide = "" if one.crossed is None else f"; for other people and pictures {_range(one.crossed)}"
        votes = f"taken for real {one.real} of {one.of}, {one.independent.percent()} %"
        lines.append(f"{LABELS[kind] + ':':15} {votes}{wide}")
    for pair in report.comparisons:
        wide = "" if pair.crossed is None else f"; for other people and pictures {_range(pair.crossed)}"
        lines.append(f"{LABELS[pair.first]} minus {LABELS[pair.second]}: {pair.independent.percent()} points, "
                     f"p = {pair.p:.2g}{wide}")
    if len(report.subjects) == 1:
        lines.append("one subject says nothing of others: the intervals are those of chance in this person's answers")
    return lines


def report_json(report: Report) -> dict[str, Any]:
    """The report as data."""
    def plain(one: Estimate | None) -> dict[str, float] | None:
        return None if one is None else {name: round(float(number), 6) for name, number in one._asdict().items()}

    return {
        "material": report.material,
        "simulated": report.simulated,
        "subjects": len(report.subjects),
        "unfinished": len(report.unfinished),
        "shares": {kind: {"real": one.real, "of": one.of, "independent": plain(one.independent),
                          "crossed": plain(one.crossed)} for kind, one in report.shares.items()},
        "differences": [{"first": one.first, "second": one.second, "independent": plain(one.independent),
                         "p": one.p, "crossed": plain(one.crossed)} for one in report.comparisons],
    }


def title_of(report: Report) -> str:
    """What a picture of the report must say above it."""
    if report.material == "paper":
        return f"the paper's study, as reported: {paper.STUDY_SUBJECTS.value:.0f} subjects"
    who = "simulated subjects" if report.simulated else "subject" if len(report.subjects) == 1 else "subjects"
    return f"{len(report.subjects)} {who}, {report.material}"


def draw_report(panel: Axes, report: Report) -> None:
    """Draw a report: a bar for each kind, a thick line for the narrow interval and a thin one for the wide."""
    for row, one in enumerate(report.shares.values()):
        panel.barh(row, 100 * one.independent.value, color=f"C{row}", alpha=0.35, height=0.6)
        if one.crossed is not None:
            panel.plot(_ends(one.crossed), (row, row), color="0.25", lw=1)
        panel.plot(_ends(one.independent), (row, row), color=f"C{row}", lw=4, solid_capstyle="butt")
        panel.plot(100 * one.independent.value, row, "o", color="black", ms=3)
    name = {"lens": "SLR"} if report.material == "paper" else {}
    panel.set_yticks(range(len(report.shares)), [name.get(kind, LABELS[kind]) for kind in report.shares])
    panel.invert_yaxis()
    panel.set(xlim=(0, 100), xlabel='votes "real", %', title=title_of(report))


def _ends(one: Estimate) -> Sequence[float]:
    return 100 * one.low, 100 * one.high


def _range(one: Estimate) -> str:
    return f"{100 * one.low:.1f} to {100 * one.high:.1f}"
