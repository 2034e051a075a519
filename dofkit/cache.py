# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the kit keeps what it can make again, and where what people say in a study.

The cache is, in this order: the environment variable `DOFKIT_CACHE`, the platform's cache folder of the user, a folder
of the user under the temporary folder. Nothing in it is precious: delete it at any time. Answers are precious: studies
lie in `DOFKIT_STUDIES` or the platform's folder for the user's data.
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
    asked = _asked_for("DOFKIT_CACHE", "cache folder")
    if asked is not None:
        return asked
    for folder in _candidates():
        if _usable(folder):
            return folder
    raise OSError("found no cache folder that can be written to: set DOFKIT_CACHE to one")


def studies_dir() -> Path:
    """The folder for studies that somebody takes; it exists and can be written to.

    Returns
    -------
    Path
        `DOFKIT_STUDIES` or the user's data folder; where neither can be written to, one in the cache.

    Raises
    ------
    OSError
        If `DOFKIT_STUDIES` is set to a folder that cannot be written to, or if there is no cache either.

    Examples
    --------
    >>> studies_dir().is_dir()
    True
    """
    asked = _asked_for("DOFKIT_STUDIES", "folder of studies")
    if asked is not None:
        return asked
    for base in _homes("XDG_DATA_HOME", ".local/share", "Library/Application Support"):
        if _usable(base / "dofkit" / "studies"):
            return base / "dofkit" / "studies"
    folder = cache_dir() / "studies"
    folder.mkdir(exist_ok=True)
    return folder


def keep_compiled_code() -> None:
    """Let numba keep its compiled code in the cache, unless the user chose a place; call before importing it.

    pymatting compiles for about a minute at its first import. Numba keeps the result beside the installed
    package, which a user may not write to.
    """
    if not os.environ.get("NUMBA_CACHE_DIR"):
        with contextlib.suppress(OSError):  # then numba keeps it beside the package or not at all
            os.environ["NUMBA_CACHE_DIR"] = str(cache_dir() / "numba")


def _asked_for(variable: str, what: str) -> Path | None:
    """The folder that an environment variable names; None where it is not set."""
    asked = os.environ.get(variable)
    if not asked:
        return None
    folder = Path(asked).expanduser().absolute()
    if not _usable(folder):
        raise OSError(f"cannot write to the {what} {folder}: set {variable} to another one")
    return folder


def _candidates() -> Iterator[Path]:
    for base in _homes("XDG_CACHE_HOME", ".cache", "Library/Caches"):
        yield base / "dofkit" / "Cache" if sys.platform == "win32" else base / "dofkit"
    yield Path(tempfile.gettempdir()) / f"dofkit-{_user()}"


def _homes(variable: str, linux: str, mac: str) -> Iterator[Path]:
    """Folders in which programs of this user keep things of one kind, by the habits of the platform."""
    if os.environ.get(variable):
        yield Path(os.environ[variable])
    try:
        home = Path.home()
    except RuntimeError:  # no HOME and no entry in the password file
        return
    if sys.platform == "win32":
        yield Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        yield home / (mac if sys.platform == "darwin" else linux)


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
