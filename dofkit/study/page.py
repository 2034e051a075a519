# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on which a study is taken: the last line of a notebook's cell, in JupyterLab or Voila.

    take_study("my-study")

A picture, two buttons, and how far one is; Tab goes from button to button, Enter or Space presses one. It says nothing
about right and wrong before the end. Where no browser is looking it does nothing.
"""

from __future__ import annotations

import base64
import html
import os
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets

from dofkit.study.folder import KINDS, Study, StudyError, read_key, read_study
from dofkit.study.report import LABELS, paper_report
from dofkit.study.session import Session
from dofkit.study.statistics import share

TOO_SOON = 0.25
"""Seconds after a picture in which a click is the second half of a double click, not an answer."""


class StudyPage(ipywidgets.VBox):
    """The widget that `take_study` makes.

    Attributes
    ----------
    name, start : the field and the button of the first page.
    real, computer : the two buttons of an answer.
    picture, progress, said : what is shown, how far one is, and what went wrong, as HTML.
    session : None before a name is given.
    """

    def __init__(self, study: Study, answers: Path | None, subject: str | None) -> None:
        self.study, self.file = study, answers
        self.session: Session | None = None
        wording = study.wording
        wide = ipywidgets.Layout(width="16em", height="3em")
        self.name = ipywidgets.Text(description="your name", placeholder="any word; to go on later, the same")
        self.start = ipywidgets.Button(description="begin, or go on", button_style="primary")
        self.real = ipywidgets.Button(description=wording.real, tooltip=wording.question, layout=wide)
        self.computer = ipywidgets.Button(description=wording.computer, tooltip=wording.question, layout=wide)
        self.picture, self.progress, self.said = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.start.on_click(self._guarded(lambda: self.begin(self.name.value)))
        self.real.on_click(self._guarded(lambda: self._answer("real")))
        self.computer.on_click(self._guarded(lambda: self._answer("computer")))
        super().__init__()
        self._welcome()
        if subject:
            self._guarded(lambda: self.begin(subject))(None)

    def begin(self, subject: str) -> None:
        """Begin as this subject, or go on where they were.

        Raises
        ------
        StudyError
            If the name cannot be taken.
        """
        self.session = Session(self.study, subject, self.file)
        self._show()

    def _welcome(self) -> None:
        text = (f"<p>You will see {len(self.study.pictures)} pictures, one after the other. "
                f"{html.escape(self.study.wording.question)} Say what you think at first sight; there is no hurry. "
                "You can stop at any time and go on later under the same name. How you did, you learn at the end.</p>")
        self.children = [ipywidgets.HTML(text), self.name, self.start, self.said]

    def _show(self) -> None:
        """The current picture, or the end."""
        assert self.session is not None
        current = self.session.current
        if current is None:
            self.children = [ipywidgets.HTML(_farewell(self.session))]
            return
        number = len(self.session.said) + 1
        data = base64.b64encode(self.study.picture(current).read_bytes()).decode()
        self.picture.value = (f'<img alt="picture {number} of {self.session.total}: a person and a place" '
                              f'style="max-width:100%; max-height:75vh" src="data:image/jpeg;base64,{data}">')
        self.progress.value = f"{number} of {self.session.total}"
        question = ipywidgets.HTML(f"<p>{html.escape(self.study.wording.question)}</p>")
        buttons = ipywidgets.HBox([self.real, self.computer, self.progress])
        if self.picture not in self.children:  # the buttons stay where they are, and with them the keyboard's focus
            self.children = [question, self.picture, buttons, self.said]
        self.shown = time.monotonic()

    def _answer(self, choice: str) -> None:
        assert self.session is not None
        seconds = time.monotonic() - self.shown
        if seconds < TOO_SOON:
            return
        shown = self.session.current
        self.session.refresh()  # another page under this name may have asked for this picture
        if self.session.current == shown and shown is not None:
            self.session.answer(choice, seconds)
        self._show()

    def _guarded(self, act: Callable[[], None]) -> Callable[[object], None]:
        """What a button does; what goes wrong is said in the page, and the page stays."""
        def press(_: object) -> None:
            try:
                act()
            except (StudyError, OSError) as error:
                self.said.value = f"<p><b>This did not work:</b> {html.escape(str(error))}</p>"
            else:
                self.said.value = ""

        return press


def take_study(
    folder: str | os.PathLike[str] = ".", answers: str | os.PathLike[str] | None = None, subject: str | None = None
) -> StudyPage:
    """Show the page of a study; the last line of a notebook's cell.

    Parameters
    ----------
    folder
        The study, from `dofkit study build`; by default the folder of the notebook.
    answers
        The CSV that answers go to; by default `answers.csv` in the study.
    subject
        Who takes it; by default the page asks.

    Raises
    ------
    StudyError
        If there is no study in the folder.
    """
    return StudyPage(read_study(Path(folder)), None if answers is None else Path(answers), subject)


def _farewell(session: Session) -> str:
    """Thanks, and the subject's own result; without the key, thanks alone."""
    thanks = (f"<p>Thank you, {html.escape(session.subject)}: that was all. "
              f"Your answers are in {html.escape(str(session.file))}.</p>")
    try:
        key = read_key(session.study)
    except StudyError as error:
        return f"{thanks}<p>Your result needs the key: {html.escape(str(error))}.</p>"
    wording = session.study.wording
    head = ("<th>picture</th>" + f'<th>you said "{html.escape(wording.real)}"</th>' + "<th>95 % interval</th>"
            + "<th>the paper's 22 subjects, other pictures</th><th>95 % interval</th>")
    rows = []
    for kind in KINDS:
        votes = [answer == "real" for picture, answer in session.said.items() if key[picture] == kind]
        if votes:
            own, theirs = share(sum(votes), len(votes)), paper_report().shares[kind].independent
            cells = (LABELS[kind], f"{sum(votes)} of {len(votes)}", f"{100 * own.low:.0f} to {100 * own.high:.0f} %",
                     f"{100 * theirs.value:.1f} %", f"{100 * theirs.low:.0f} to {100 * theirs.high:.0f} %")
            rows.append("<tr>" + "".join(f'<td style="padding:0 1em">{cell}</td>' for cell in cells) + "</tr>")
    return f"{thanks}<table><tr>{head}</tr>{''.join(rows)}</table>"
