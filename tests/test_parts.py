# SPDX-License-Identifier: GPL-3.0-or-later
"""Unfinished files: a dead writer's are removed by whoever comes next, a living one's and a stranger's never."""

import os
import signal
import subprocess
import sys

import pytest

from dofkit import parts
from dofkit.files import PhotoError, write_bytes, write_together
from dofkit.parts import fill, remove_abandoned, unfinished_file, unfinished_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

WRITER = """
import sys, time
from pathlib import Path
from dofkit.parts import unfinished_file, unfinished_folder
target = Path(sys.argv[1])
with unfinished_file(target), unfinished_folder(target) as folder:
    (folder / "inside").write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path):
    """A process in the middle of writing `a.txt`, killed at the end of the test at the latest."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "a.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_living_writer_keeps_its_parts_and_a_dead_one_does_not(tmp_path, writer):
    theirs = names(tmp_path)
    assert len(theirs) == 2
    write_bytes(tmp_path / "a.txt", b"ours")
    remove_abandoned(tmp_path)
    assert names(tmp_path) == [*theirs, "a.txt"]
    kill(writer)
    write_bytes(tmp_path / "b.txt", b"another name")
    assert len(names(tmp_path)) == 4
    write_bytes(tmp_path / "a.txt", b"ours")
    assert names(tmp_path) == ["a.txt", "b.txt"]


def test_a_whole_folder_is_cleaned_of_dead_writers(tmp_path, writer):
    kill(writer)
    remove_abandoned(tmp_path)
    assert names(tmp_path) == []


def test_what_is_not_named_like_a_part_or_is_a_link_stays(tmp_path):
    (tmp_path / "precious").write_text("kept")
    for name in (".a.txt.part", ".a.txt.0123abc.part", ".a.0123ABCD.part", "a.txt.0123abcd.part", ".a.0123abcd.part~"):
        (tmp_path / name).write_text("")
    (tmp_path / ".a.txt.0123abcd.part").symlink_to("precious")
    before = names(tmp_path)
    remove_abandoned(tmp_path)
    remove_abandoned(tmp_path, "a.txt")
    assert names(tmp_path) == before
    remove_abandoned(tmp_path / "no such folder")


def test_signs_in_a_name_are_no_pattern(tmp_path):
    (tmp_path / ".abc.0123abcd.part").write_text("")
    write_bytes(tmp_path / "a*", b"")
    write_bytes(tmp_path / "[a]bc", b"")
    assert ".abc.0123abcd.part" in names(tmp_path)


def test_a_part_taken_for_abandoned_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
    taken = []
    held = parts._held

    def late(handle, part):
        if not taken:
            taken.append(part)
            part.rmdir() if part.is_dir() else part.unlink()
        return held(handle, part)

    monkeypatch.setattr(parts, "_held", late)
    with unfinished_file(tmp_path / "a") as (part, handle):
        fill(handle, b"x" * 10)
        assert part.read_bytes() == b"x" * 10 and part != taken[0]
    taken.clear()
    with unfinished_folder(tmp_path / "a") as part:
        assert part.is_dir() and part != taken[0]
    assert names(tmp_path) == []


def test_a_failure_leaves_no_part(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(PhotoError, match=r"cannot write .*b' .Is a directory"):
        write_together({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert [name for name in names(tmp_path) if name.startswith(".")] == []
