# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the kit keeps what it can make again: rendered scenes and compiled numba code.

The folder is, in this order: the environment variable `DOFKIT_CACHE`, the platform's cache folder of the
user, a folder of the user under the temporary folder. Nothing in it is precious: delete it at any time.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


def cache_dir() -> Path:
    """The folder for things the kit can make again; it exists and can be written to.

    Returns
    -------
    Path
        The first of `DOFKIT_CACHE`, the user's cache folder, and a folder of the user under the temporary
        folder that can be created and written to.

    Raises
    ------
    OSError
        If `DOFKIT_CACHE` is set to a folder that cannot be written to (a wish is not passed
        over), or if no folder can be written to.

    Examples
    --------
    >>> cache_dir().is_dir()
    True
    """
    asked = os.environ.get("DOFKIT_CACHE")
    if asked:
        folder = Path(asked).expanduser().absolute()
        if not _usable(folder):
            raise OSError(f"cannot write to the cache folder {folder}: set DOFKIT_CACHE to another one")
        return folder
    for folder in _candidates():
        if _usable(folder):
            return folder
    raise OSError("found no cache folder that can be written to: set DOFKIT_CACHE to one")


def keep_compiled_code() -> None:
    """Let numba keep its compiled code in the cache, unless the user chose a place; call before importing it.

    pymatting compiles for about a minute at its first import. Numba keeps the result beside the installed
    package, which a user may not write to.
    """
    if not os.environ.get("NUMBA_CACHE_DIR"):
        with contextlib.suppress(OSError):  # then numba keeps it beside the package or not at all
            os.environ["NUMBA_CACHE_DIR"] = str(cache_dir() / "numba")


def _candidates() -> Iterator[Path]:
    if os.environ.get("XDG_CACHE_HOME"):
        yield Path(os.environ["XDG_CACHE_HOME"]) / "dofkit"
    try:
        home = Path.home()
    except RuntimeError:  # no HOME and no entry in the password file
        home = None
    if home is not None:
        if sys.platform == "darwin":
            yield home / "Library" / "Caches" / "dofkit"
        elif sys.platform == "win32":
            yield Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "dofkit" / "Cache"
        else:
            yield home / ".cache" / "dofkit"
    yield Path(tempfile.gettempdir()) / f"dofkit-{_user()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "user"


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # has no name on Linux: a kill leaves nothing
            return True
    except OSError:
        return False
