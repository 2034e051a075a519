# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kit needs from the machine below Python, and how to say so when it is missing.

OpenCV's wheel links to libraries of the system (libGL, glib) that a bare Debian does not have. Its own error
names a file and no remedy, at the end of a long traceback; here it becomes one line.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable
from types import TracebackType

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]

REMEDY = "on Debian and Ubuntu: `sudo apt install libgl1 libglib2.0-0`"
_LINKED_BY_OPENCV = ("libGL.so.1", "libgthread-2.0.so.0")


class MissingLibraryError(ImportError):
    """A library of the system that a dependency needs is missing; the message is one line with the remedy."""


def require_system_libraries() -> None:
    """Do nothing where OpenCV can be loaded, else say in one line what is missing and how to get it.

    OpenCV itself (a tenth of a second) is imported only where one of its usual libraries is absent, because
    other builds of it (headless, conda's) do without.

    Raises
    ------
    MissingLibraryError
        If `import cv2` fails.

    Examples
    --------
    >>> require_system_libraries()
    """
    if not sys.platform.startswith("linux") or all(_loads(name) for name in _LINKED_BY_OPENCV):
        return
    try:
        importlib.import_module("cv2")
    except ImportError as error:
        sys.excepthook = _one_line(sys.excepthook)
        raise MissingLibraryError(explain(error)) from None


def explain(error: ImportError) -> str:
    """One line for a failed import of OpenCV: what is missing and the remedy.

    Examples
    --------
    >>> explain(ImportError("libGL.so.1: cannot open shared object file: No such file or directory"))
    'OpenCV needs libGL.so.1 of the system, which is missing; on Debian and Ubuntu: ...'
    """
    library, found, _ = str(error).partition(": cannot open shared object file")
    if found:
        return f"OpenCV needs {library} of the system, which is missing; {REMEDY}"
    return f"OpenCV (cv2) cannot be imported: {error}"


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _one_line(usual: Hook) -> Hook:
    """An excepthook that prints our message alone: the command fails while it imports the package."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> object:
        if isinstance(error, MissingLibraryError):
            return print(f"dofkit: {error}", file=sys.stderr)
        return usual(kind, error, trace)

    return hook
