# SPDX-License-Identifier: GPL-3.0-or-later
"""The user study of section 4.4: its numbers read with their intervals, and a study that anyone can take or give.

    statistics.py   votes: a share, a difference, their intervals and an exact test (Wilson, Newcombe, Boschloo)
    crossed.py      the same where subjects and pictures differ: intervals, simulated studies, power
    folder.py       a study on disk: pictures without names, what is asked, the key apart from them
    material.py     build one, of test scenes or of one's own photographs
    answers.py      the CSV of answers: two subjects at once, a kill at any moment, nothing lost or doubled
    session.py      one subject: the order, the next picture, no feedback; subjects that are simulated
    page.py         the page on which it is taken, in JupyterLab or Voila
    report.py       the statistics and the figure of a CSV

Notebook 08 shows all of them; `dofkit study` is the command.
"""

from dofkit.study.folder import KINDS, Study, StudyError, read_key, read_study

__all__ = ["KINDS", "Study", "StudyError", "read_key", "read_study"]
