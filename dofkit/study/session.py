# SPDX-License-Identifier: GPL-3.0-or-later
"""One subject's way through a study, without any page around it; and subjects that are simulated.

    session = Session(read_study(folder), "Ada")
    while session.current is not None:
        session.answer("real", seconds=3.2)

Everything that a session knows is in the file of answers, so it goes on where it was, after whatever happened.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from dofkit.study.answers import CHOICES, Answer, AnswersError, check_subject, keep_answer, read_answers
from dofkit.study.crossed import Variation, simulate
from dofkit.study.folder import KINDS, Study, read_key

SIMULATED = "simulated"
"""How the names of subjects begin whom nobody has seen; nobody else may be called so."""


class Session:
    """A subject in a study: a random order of their own, the same whenever they come back.

    Parameters
    ----------
    study : from `read_study`.
    subject : any name; see `dofkit.study.answers.check_subject`.
    file : the CSV of answers, by default `answers.csv` in the study.

    Raises
    ------
    AnswersError
        If the name cannot be taken, or the file holds something else than answers.
    """

    def __init__(self, study: Study, subject: str, file: Path | None = None) -> None:
        self.study = study
        self.subject = check_subject(subject)
        if self.subject.casefold().startswith(SIMULATED):
            raise AnswersError(f"the name {self.subject!r} is kept for simulated subjects: choose another")
        self.file = study.answers if file is None else file
        self.order = order_of(study, self.subject)
        self.refresh()

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return len(self.order)

    @property
    def current(self) -> str | None:
        """The picture to ask for; None after the last one."""
        return next((name for name in self.order if name not in self.said), None)

    def refresh(self) -> None:
        """Read again what this subject has said: perhaps on another page as well."""
        self.said = {answer.picture: answer.answer for answer in read_answers(self.file)
                     if answer.subject == self.subject}

    def answer(self, choice: str, seconds: float) -> None:
        """Keep what is said of the current picture; `current` is the next one then.

        Raises
        ------
        AnswersError
            If it cannot be kept; the picture stays.
        ValueError
            If there is no such choice, or no picture left.
        """
        picture = self.current
        if choice not in CHOICES or picture is None:
            raise ValueError(f"{choice!r} for picture {picture!r}: choices are {', '.join(CHOICES)}")
        keep_answer(self.file, Answer(self.subject, picture, self.order.index(picture) + 1, seconds, choice))
        self.refresh()


def order_of(study: Study, subject: str) -> tuple[str, ...]:
    """The pictures in the random order in which this subject sees them."""
    digest = hashlib.sha256(f"{study.id} {subject}".encode()).digest()
    order = np.random.default_rng(int.from_bytes(digest, "big")).permutation(len(study.pictures))
    return tuple(study.pictures[i] for i in order)


def simulate_subjects(
    study: Study, shares: dict[str, float], variation: Variation, *, subjects: int, file: Path, seed: int = 0
) -> None:
    """Write answers of subjects who do not exist, named "simulated 01" and so on, to a new file.

    Parameters
    ----------
    study : with its key.
    shares : of "real" by kind, strictly between 0 and 1.
    variation : of subjects and pictures.
    subjects : how many.
    file : a new CSV.
    seed : of the answers.

    Raises
    ------
    AnswersError
        If the file exists: simulated answers are not mixed with anybody's.
    """
    if file.exists():
        raise AnswersError(f"'{file}' exists: simulated answers are not mixed with anybody's; name a new file")
    key, rng = read_key(study), np.random.default_rng(seed)
    kinds = [kind for kind in KINDS if kind in key.values()]
    names = {kind: sorted(name for name in study.pictures if key[name] == kind) for kind in kinds}
    most = max(map(len, names.values()))
    votes = simulate([shares[kind] for kind in kinds], variation, rng, subjects=subjects, pictures=most)[0]
    says = {name: votes[k, :, j] for k, kind in enumerate(kinds) for j, name in enumerate(names[kind])}
    for i in range(subjects):
        subject = f"{SIMULATED} {i + 1:02d}"
        for position, name in enumerate(order_of(study, subject), 1):
            keep_answer(file, Answer(subject, name, position, 0.0, "real" if says[name][i] else "computer"))
