# SPDX-License-Identifier: GPL-3.0-or-later
r"""The CSV of answers: several subjects at once, a kill at any moment, and no answer is lost or counted twice.

    subject,picture,position,seconds,answer
    Ada,3f9a0c1d,1,4.21,real

One answer is one line, appended by one write under a lock on the file, and on the disk before the next picture is
shown. A process that is killed in the middle leaves a last line without its end. The answer stands last, so whoever
comes next can tell: if the line has a whole answer it gets its end, else it was never acknowledged, is removed, and
its picture will be asked again. Of two answers by one subject to one picture the first counts.
"""

from __future__ import annotations

import contextlib
import csv
import math
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dofkit.study.folder import StudyError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

HEADER = "subject,picture,position,seconds,answer"
CHOICES = ("real", "computer")
LONGEST_NAME = 40


class AnswersError(StudyError):
    """Answers that cannot be read or kept; the message says which, and what to do."""


@dataclass(frozen=True)
class Answer:
    """What one subject said of one picture.

    Attributes
    ----------
    subject, picture : their names.
    position : as which of the subject's pictures it was shown, from 1.
    seconds : from the sending of the picture to the answer.
    answer : "real" or "computer".
    """

    subject: str
    picture: str
    position: int
    seconds: float
    answer: str

    @property
    def line(self) -> str:
        """As in the file, with its end."""
        return f"{self.subject},{self.picture},{self.position},{self.seconds:.2f},{self.answer}\n"


def check_subject(name: str) -> str:
    """A subject's name as it is kept: trimmed, letters of all scripts, digits, spaces, dots and dashes.

    Raises
    ------
    AnswersError
        If it is empty, too long or has other characters.

    Examples
    --------
    >>> check_subject("  Ada   L. ")
    'Ada L.'
    """
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    if not tidy:
        raise AnswersError("a name is needed, to take up the study again later: any word will do")
    strange = [sign for sign in tidy if not (sign.isalnum() or unicodedata.category(sign) == "Mn" or sign in " .-_")]
    if strange or len(tidy) > LONGEST_NAME or not tidy[0].isalnum():
        raise AnswersError(f"the name {tidy[:LONGEST_NAME]!r} cannot be kept: choose one of at most {LONGEST_NAME} "
                           "letters, digits, spaces, dots and dashes that begins with a letter or digit")
    return tidy


def read_answers(file: Path) -> list[Answer]:
    """All answers in a file, in its order; of two by one subject to one picture the first.

    Parameters
    ----------
    file
        The CSV; none means no answers. A last line that is still being written is left out.

    Raises
    ------
    AnswersError
        If a line is no answer; the message names it.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AnswersError(f"cannot read the answers in '{file}' ({error.strerror}): name a CSV file") from None
    return _parse(data, file)


def keep_answer(file: Path, answer: Answer) -> bool:
    """Append an answer, for good: it is on the disk when this returns.

    Returns
    -------
    bool
        False if the subject has said something of this picture before; that stays, and nothing is written.

    Raises
    ------
    AnswersError
        If the file holds something else, or cannot be written; nothing of the answer is left in it then.
    """
    try:
        with _opened(file) as handle:
            data, keep = _repaired(_content(handle), file)
            if any((old.subject, old.picture) == (answer.subject, answer.picture) for old in _parse(data, file)):
                added = b""
            else:
                added = answer.line.encode()
            _write(handle, keep, data[keep:] + added)
            return bool(added)
    except OSError as error:
        raise AnswersError(f"cannot keep the answer in '{file}' ({error.strerror or error}): free some space or choose "
                           "another place for the answers; the picture is asked again") from error


def _repaired(data: bytes, file: Path) -> tuple[bytes, int]:
    """The content with all lines ended, and how many of its bytes are in the file already."""
    if not data:
        return f"{HEADER}\n".encode(), 0
    whole = data.rfind(b"\n") + 1
    tail = data[whole:]
    if not tail:
        return data, len(data)
    if whole == 0 and f"{HEADER}\n".encode().startswith(tail):
        return f"{HEADER}\n".encode(), 0
    if whole and not _ends_in_an_answer(tail):
        return data[:whole], whole
    _parse(data + b"\n", file)
    return data + b"\n", len(data)


def _ends_in_an_answer(tail: bytes) -> bool:
    return tail.count(b",") == HEADER.count(",") and tail.rpartition(b",")[2].strip() in (b"real", b"computer")


def _parse(data: bytes, file: Path) -> list[Answer]:
    """The answers in the content of a file; a last line without end counts if it has a whole answer."""
    try:
        text = data.decode("utf-8-sig")  # spreadsheets put a mark before
    except UnicodeDecodeError:
        text = data[: data.rfind(b"\n") + 1].decode("utf-8-sig", errors="replace")
    lines = text.split("\n")
    if lines[-1] and not _ends_in_an_answer(lines[-1].encode()):
        lines[-1] = ""
    if not any(lines):
        return []
    if lines[0].rstrip("\r") != HEADER:
        raise AnswersError(f"'{file}' begins with {lines[0][:60]!r}, not with {HEADER!r}: "
                           "it holds no answers of a study")
    found: dict[tuple[str, str], Answer] = {}
    number = 1
    try:
        for number, row in enumerate(csv.reader(lines[1:]), 2):
            if row:
                answer = _answer(row, f"'{file}', line {number}")
                found.setdefault((answer.subject, answer.picture), answer)
    except csv.Error as error:
        raise AnswersError(f"'{file}', line {number + 1}: no line of a table ({error}): mend or remove it") from None
    return list(found.values())


def _answer(row: list[str], where: str) -> Answer:
    if len(row) != HEADER.count(",") + 1:
        raise AnswersError(f"{where}: {len(row)} fields instead of {HEADER.count(',') + 1}: mend or remove the line")
    subject, picture, position, seconds, answer = row
    if answer not in CHOICES:
        raise AnswersError(f"{where}: the answer {answer!r} is neither real nor computer: mend or remove the line")
    try:
        if not math.isfinite(float(seconds)):
            raise ValueError
        return Answer(subject, picture, int(position), float(seconds), answer)
    except ValueError:
        raise AnswersError(f"{where}: {position!r} and {seconds!r} should be a position and a time in seconds: "
                           "mend or remove the line") from None


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int]:
    """The file, open for appending, for this process alone."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    handle = os.open(file, flags, 0o644)
    try:
        with _locked(handle):
            yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(handle: int) -> Iterator[None]:
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX)  # goes with the file, also when the process is killed
        yield
        return
    import msvcrt

    beyond = 1 << 30  # a byte that no answer reaches: locked bytes could not be read by others
    os.lseek(handle, beyond, os.SEEK_SET)
    msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
    try:
        yield
    finally:
        os.lseek(handle, beyond, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)


def _content(handle: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    parts = []
    while part := os.read(handle, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _write(handle: int, keep: int, added: bytes) -> None:
    """Bring the file to its first `keep` bytes and `added`, on the disk; on a failure those first bytes alone."""
    if os.fstat(handle).st_size > keep:
        os.ftruncate(handle, keep)
    if not added:
        return
    try:
        written = os.write(handle, added)
        if written < len(added):
            raise OSError(f"only {written} of {len(added)} bytes were written")
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, keep)
        raise
