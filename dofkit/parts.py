# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders that are not finished: hidden neighbours, moved into place whole, removed whatever happens.

    .NAME.0123abcd.part     beside NAME, and locked by the process that writes it

The lock goes with the process, also when it is killed or the power fails. So whoever comes next can tell what a dead
writer left behind from what a live one is writing: `remove_abandoned` takes the lock first, and then the file.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LONGEST = 100  # of the characters of a name that a part takes over: names have at most 255 bytes
_OLD = 3600.0  # seconds after which a part counts as abandoned where there are no locks


@contextlib.contextmanager
def unfinished_file(target: Path) -> Iterator[tuple[Path, io.FileIO]]:
    """A new file beside `target`, open for `fill`; at the end it is gone, unless it was moved.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    while True:
        part = _beside(target)
        handle = io.FileIO(part, "x")
        try:
            if _held(handle.fileno(), part):
                yield part, handle
                return
        finally:
            handle.close()
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target`; at the end it is gone with all that is in it, unless it was moved.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    while True:
        part = _beside(target)
        part.mkdir()
        handle = os.open(part, os.O_RDONLY) if fcntl is not None else None
        try:
            if handle is None or _held(handle, part):
                yield part
                return
        finally:
            if handle is not None:
                os.close(handle)
            shutil.rmtree(part, ignore_errors=True)


def fill(handle: io.FileIO, data: bytes) -> None:
    """Write all of `data`, down to the disk.

    Raises
    ------
    OSError
        If there is no room for it.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[handle.write(rest):]
    os.fsync(handle.fileno())
    if fcntl is None:
        handle.close()  # Windows moves no open file


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Remove the parts in a folder whose writers are gone: those of `name`, or all of them.

    What a living process is writing stays, and so does everything that is not named like a part.
    """
    wanted = ".+" if name is None else re.escape(name[:_LONGEST])
    ours = re.compile(rf"\.{wanted}\.[0-9a-f]{{8}}\.part", re.DOTALL)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for part in [Path(entry.path) for entry in entries if ours.fullmatch(entry.name) and not entry.is_symlink()]:
            _remove_if_abandoned(part)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:_LONGEST]}.{secrets.token_hex(4)}.part")


def _held(handle: int, part: Path) -> bool:
    """Lock a new part; false if somebody took it for abandoned between its making and its locking."""
    if fcntl is None:
        return True
    with contextlib.suppress(OSError):  # some network drives have no locks; then nothing on them is ever removed
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(handle), part.stat())
    except FileNotFoundError:
        return False


def _remove_if_abandoned(part: Path) -> None:
    with contextlib.suppress(OSError):  # locked, or another process was faster, or not ours to remove
        if fcntl is None:
            if time.time() - part.stat().st_mtime > _OLD:
                _remove(part)
            return
        handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(part)
        finally:
            os.close(handle)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink()
