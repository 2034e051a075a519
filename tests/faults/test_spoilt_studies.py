# SPDX-License-Identifier: GPL-3.0-or-later
"""Spoilt studies, keys and answers end in a report or in one StudyError; no answer is lost in the attempt."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dofkit.study.answers import HEADER, Answer, check_subject, keep_answer, read_answers
from dofkit.study.folder import StudyError, read_key, read_study
from dofkit.study.report import read_report, report_json, report_lines
from dofkit.study.session import Session
from tests.faults.damage import damaged, fuzz, odd_json, outcome

PICTURES = [f"0000000{i}" for i in range(6)]
STUDY = {"format": 1, "id": "0123456789abcdef", "material": "scenes", "pictures": PICTURES,
         "settings": {"each": 2, "size": 96, "seed": 0, "photographs": False}}
KEY = {"id": STUDY["id"], "kinds": dict(zip(PICTURES, ["lens", "ours", "no depth"] * 2, strict=True))}
ANSWERS = "".join([f"{HEADER}\n", *(f"{who},{name},{place},2.50,{'real' if place % 2 else 'computer'}\n"
                                    for who in ("Ada", "Bo") for place, name in enumerate(PICTURES, 1))]).encode()


def laid_out(folder: Path, study: bytes, key: bytes, answers: bytes) -> None:
    (folder / "pictures").mkdir(exist_ok=True)
    for name in PICTURES:
        (folder / "pictures" / f"{name}.jpg").write_bytes(b"a picture")
    for name, content in (("study.json", study), ("key.json", key), ("answers.csv", answers)):
        (folder / name).write_bytes(content)


def everything(folder: Path):
    """What a subject and the giver do with a study."""
    study = read_study(folder)
    session = Session(study, "Cy")
    if session.current is not None:
        session.answer("real", 1.0)
    read_key(study)
    report = read_report(study.answers, study)
    return "\n".join(report_lines(report)) + json.dumps(report_json(report), allow_nan=False)


def test_the_study_is_good_before_it_is_spoilt(tmp_path):
    laid_out(tmp_path, json.dumps(STUDY).encode(), json.dumps(KEY).encode(), ANSWERS)
    assert "2 subjects have seen all pictures; 1 not yet" in everything(tmp_path)


@fuzz(40)
@given(st.data())
def test_a_spoilt_study_or_key(tmp_path, data):
    study, key = json.dumps(STUDY).encode(), json.dumps(KEY).encode()
    if data.draw(st.booleans()):
        study = data.draw(odd_json(STUDY))
    else:
        key = data.draw(odd_json(KEY))
    laid_out(tmp_path, study, key, ANSWERS)
    found = outcome("study and key", lambda: everything(tmp_path), StudyError)
    assert isinstance(found, (str, StudyError))


ROWS = st.lists(st.one_of(
    st.sampled_from(["Ada,00000001,1,2.50,real", "Ada,00000001,1,2.50,maybe", "Ada,00000001,1,nan,real", '"', '"a\nb"',
                     "Ada,00000009,1,2.50,real", "Ada,00000001,x,2.50,real", "simulated 01,00000001,1,0.00,real",
                     "Ada,00000001,1,1e999,real", f"Ada,00000001,{'9' * 5000},2,real", "x" * 140_000, "\r", "a\rb",
                     "\0", HEADER, ",,,,real", "Ada,00000001,1,2.50,real\r"]),
    st.text(max_size=40)), max_size=8)


@fuzz(50)
@given(st.data())
def test_spoilt_answers(tmp_path, data):
    if data.draw(st.booleans()):
        spoilt = data.draw(damaged(ANSWERS))
    else:
        spoilt = "\n".join([HEADER, *data.draw(ROWS)]).encode("utf-8", "surrogatepass")
        spoilt += data.draw(st.sampled_from((b"", b"\n")))
    laid_out(tmp_path, json.dumps(STUDY).encode(), json.dumps(KEY).encode(), spoilt)
    file = tmp_path / "answers.csv"
    outcome("answers, reported", lambda: everything(tmp_path), StudyError)
    file.write_bytes(spoilt)
    before = outcome("answers, read", lambda: read_answers(file), StudyError)
    kept = outcome("answers, one more kept", lambda: keep_answer(file, Answer("Dee", "00000001", 1, 2.0, "real")),
                   StudyError)
    if isinstance(kept, StudyError):
        assert file.read_bytes() == spoilt
    elif not isinstance(before, StudyError):
        assert set(before) <= set(read_answers(file))
        assert kept and read_answers(file)[-1].subject == "Dee"


@fuzz(20)
@given(name=st.text(max_size=60))
def test_any_name_of_a_subject(tmp_path, name):
    kept = outcome("name of a subject", lambda: check_subject(name), StudyError)
    if isinstance(kept, str):
        file = tmp_path / "a.csv"
        file.unlink(missing_ok=True)
        keep_answer(file, Answer(kept, "00000001", 1, 2.0, "real"))
        assert [one.subject for one in read_answers(file)] == [kept]
