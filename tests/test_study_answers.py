# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers: nothing lost, nothing doubled, whoever writes at the same time and whenever a process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest

from dofkit.study import answers as module
from dofkit.study.answers import HEADER, Answer, AnswersError, check_subject, keep_answer, read_answers

ONE = Answer("Ada", "3f9a0c1d", 1, 4.21, "real")
TWO = Answer("Ada", "00ff00ff", 2, 1.5, "computer")
WRITER = """
import sys
from pathlib import Path
from dofkit.study.answers import Answer, keep_answer

file, subject, first, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True)
for i in range(first, last):
    keep_answer(file, Answer(subject, f"picture{i}", i + 1, 1.0, "real" if i % 2 else "computer"))
    print(i, flush=True)  # the answer is acknowledged: the next picture is shown
"""


def writer(root, file, subject, first, last):
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", WRITER, str(file), subject, str(first), str(last)],
                            stdout=subprocess.PIPE, text=True, env=environment)


def test_answers_are_kept_in_their_order(tmp_path):
    file = tmp_path / "answers.csv"
    assert read_answers(file) == []
    assert keep_answer(file, ONE)
    assert keep_answer(file, TWO)
    assert read_answers(file) == [ONE, TWO]
    assert file.read_text() == f"{HEADER}\nAda,3f9a0c1d,1,4.21,real\nAda,00ff00ff,2,1.50,computer\n"


def test_an_answer_given_twice_counts_once_and_as_it_was_first(tmp_path):
    file = tmp_path / "answers.csv"
    keep_answer(file, ONE)
    again = Answer(ONE.subject, ONE.picture, 9, 9.0, "computer")
    before = file.read_bytes()
    assert not keep_answer(file, again)
    assert file.read_bytes() == before
    file.write_bytes(before + again.line.encode())  # as if two files had been put together
    assert read_answers(file) == [ONE]


def test_every_cut_of_the_file_is_mended(tmp_path):
    """A process may be killed, or a disk be full, after any byte."""
    file = tmp_path / "answers.csv"
    keep_answer(file, ONE)
    whole = file.read_bytes() + TWO.line.encode()
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        seen = read_answers(file)
        assert seen in ([], [ONE], [ONE, TWO])
        keep_answer(file, ONE)
        keep_answer(file, TWO)
        assert read_answers(file) == [ONE, TWO]
        assert file.read_bytes() == whole, whole[:length]


def test_a_name_of_any_script_may_be_cut_too(tmp_path):
    file = tmp_path / "answers.csv"
    name = check_subject("Зоя")
    whole = Answer(name, "3f9a0c1d", 1, 1.0, "real")
    keep_answer(file, ONE)
    start = file.read_bytes()
    for length in range(len(whole.line.encode())):
        file.write_bytes(start + whole.line.encode()[:length])
        assert read_answers(file)[:1] == [ONE]
        keep_answer(file, whole)
        assert read_answers(file) == [ONE, whole]


def test_two_subjects_at_once(root, tmp_path):
    file = tmp_path / "answers.csv"
    running = [writer(root, file, subject, 0, 60) for subject in ("Ada", "Bo")]
    for process in running:
        process.communicate(timeout=60)
    found = read_answers(file)
    assert len(found) == len(file.read_text().splitlines()) - 1 == 120
    for subject in ("Ada", "Bo"):
        assert [one.picture for one in found if one.subject == subject] == [f"picture{i}" for i in range(60)]


def test_one_subject_on_two_pages_is_counted_once(root, tmp_path):
    file = tmp_path / "answers.csv"
    running = [writer(root, file, "Ada", 0, 60) for _ in range(2)]
    for process in running:
        process.communicate(timeout=60)
    assert sorted(one.position for one in read_answers(file)) == list(range(1, 61))
    assert len(file.read_text().splitlines()) == 61


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is of POSIX")
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(root, tmp_path):
    file, rng, acknowledged = tmp_path / "answers.csv", np.random.default_rng(0), -1
    other = writer(root, file, "Bo", 0, 400)
    for _ in range(20):
        process = writer(root, file, "Ada", acknowledged + 1, 10_000)
        process.stdout.readline()
        time.sleep(float(rng.uniform(0.0, 0.06)))
        process.send_signal(signal.SIGKILL)
        with process:
            said = process.stdout.read().split("\n")[:-1]  # a half line was not said
        acknowledged = max([acknowledged, *map(int, said)])
        kept = [one.position - 1 for one in read_answers(file) if one.subject == "Ada"]
        assert kept in (list(range(acknowledged + 1)), list(range(acknowledged + 2)))
    other.communicate(timeout=60)
    assert sum(one.subject == "Bo" for one in read_answers(file)) == 400
    assert acknowledged > 20  # it was killed in the middle of something


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "answers.csv"
    keep_answer(file, ONE)
    before, write = file.read_bytes(), os.write
    monkeypatch.setattr(module.os, "write", lambda handle, data: write(handle, data[:7]))
    with pytest.raises(AnswersError, match=r"cannot keep the answer in .*only 7 of"):
        keep_answer(file, TWO)
    monkeypatch.setattr(module.os, "write", write)
    assert file.read_bytes() == before
    assert keep_answer(file, TWO)


def test_without_fcntl_the_lock_is_that_of_windows(tmp_path, monkeypatch):
    calls = []
    fake = types.SimpleNamespace(LK_LOCK="lock", LK_UNLCK="unlock",
                                 locking=lambda handle, mode, count: calls.append((mode, count)))
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setattr(module, "fcntl", None)
    keep_answer(tmp_path / "answers.csv", ONE)
    assert calls == [("lock", 1), ("unlock", 1)]
    assert read_answers(tmp_path / "answers.csv") == [ONE]


def test_what_a_spreadsheet_has_saved_is_read(tmp_path):
    file = tmp_path / "answers.csv"
    rows = ("Ada,3f9a0c1d,1,4.21,real", "", "Ada,00ff00ff,2,1.5,computer")
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join((HEADER, *rows)).encode())
    assert read_answers(file) == [ONE, TWO]
    assert not keep_answer(file, ONE)
    assert read_answers(file) == [ONE, TWO]


@pytest.mark.parametrize(("content", "message"), [
    ("a;b;c\n1;2;3\n", "begins with 'a;b;c', not with"),
    (f"{HEADER}\nAda,3f,1,2.0,yes\n", "line 2: the answer 'yes' is neither real nor computer"),
    (f"{HEADER}\nAda,3f,1,2.0,real\nAda,3f,real\n", "line 3: 3 fields instead of 5"),
    (f"{HEADER}\nAda,3f,first,2.0,real\n", "line 2: 'first' and '2.0' should be"),
])
def test_a_damaged_file_is_one_clear_error_and_stays(tmp_path, content, message):
    file = tmp_path / "answers.csv"
    file.write_text(content)
    with pytest.raises(AnswersError, match=message):
        read_answers(file)
    with pytest.raises(AnswersError, match=message):
        keep_answer(file, ONE)
    assert file.read_text() == content


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(AnswersError, match=r"cannot keep the answer in .*choose another place"):
        keep_answer(tmp_path / "no" / "answers.csv", ONE)
    with pytest.raises(AnswersError, match="cannot read the answers"):
        read_answers(tmp_path)


@pytest.mark.parametrize(("name", "kept"), [
    ("Ada", "Ada"), ("  a   b ", "a b"), ("Zo\u0065\u0308", "Zo\u00eb"), ("李 2", "李 2"),
])
def test_names_are_kept_tidy(name, kept):
    assert check_subject(name) == kept


@pytest.mark.parametrize("name", ["", "   ", "a,b", "=SUM(A1)", "-x", "a\"b", "x" * 41, "a<b>", "../a"])
def test_names_that_a_table_cannot_hold_are_refused(name):
    with pytest.raises(AnswersError, match="name"):
        check_subject(name)
