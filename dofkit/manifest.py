# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of everything the paper shows or claims, and what the kit has made of it: `figures/manifest.toml`.

One entry is one figure, table or quantitative claim of the paper, or a figure of the kit's own:

    [[figure]]                      # or [[table]], [[claim]], [[kit]]
    name = "fig03_guided_kernel"    # file name without ending; for a claim, its id in dofkit.paper
    paper = "Fig. 3"                # empty for the kit's own
    title = "..."
    notebook = "05_blur_with_guidance"
    producer = "dofkit.blur"        # the code that makes what it shows
    data = "..."                    # on what it is made here
    status = "reproduced in kind"   # what was done here; whether a claim holds is said in CLAIMS.md
    reason = "..."                  # why it is not simply "reproduced"
    evidence = "fig03_guided_kernel"  # a claim only: the figure or table whose metrics speak for it
"""

from __future__ import annotations

import functools
import json
import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

KINDS = ("figure", "table", "claim", "kit")
MADE = ("reproduced", "reproduced in kind", "made")
STATUSES = (*MADE, "not yet made", "not possible")


class ManifestError(ValueError):
    """The manifest, or a name looked up in it, is wrong; the message says what and what to do."""


@dataclass(frozen=True)
class Item:
    """One entry of the manifest; the fields are those of the file."""

    kind: str
    name: str
    title: str
    status: str
    paper: str = ""
    notebook: str = ""
    producer: str = ""
    data: str = ""
    reason: str = ""
    evidence: str = ""

    @property
    def made(self) -> bool:
        """Whether the kit says it has made this."""
        return self.status in MADE


def checkout() -> Path:
    """The folder that holds notebooks/ and figures/: the checkout that this package was installed from.

    Raises
    ------
    ManifestError
        If the package stands alone, without notebooks and figures.
    """
    folder = Path(__file__).resolve().parents[1]
    if not (folder / "figures" / "manifest.toml").is_file():
        raise ManifestError(
            f"no figures/manifest.toml beside {folder / 'dofkit'}: the notebooks and figures come with the "
            "checkout; clone the repository and install it with `pip install -e .`"
        )
    return folder


def figures_dir() -> Path:
    """The folder that figures are written to: `DOFKIT_FIGURES` where set, else the checkout's `figures`."""
    asked = os.environ.get("DOFKIT_FIGURES")
    return Path(asked).expanduser().absolute() if asked else checkout() / "figures"


def read_manifest(path: Path | None = None) -> dict[str, Item]:
    """Read the manifest into a dict from name to item, in the file's order.

    Parameters
    ----------
    path
        The file; by default the checkout's `figures/manifest.toml`.

    Raises
    ------
    ManifestError
        If the file is missing or broken, a name stands twice, or a field or status is unknown or missing.
    """
    path = checkout() / "figures" / "manifest.toml" if path is None else path
    try:
        stamp = path.stat()
    except OSError as error:
        raise ManifestError(f"cannot read {path}: {error.strerror}") from None
    return dict(_read(path, stamp.st_mtime_ns, stamp.st_size))


@functools.lru_cache(maxsize=4)
def _read(path: Path, _time: int, _size: int) -> dict[str, Item]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(f"cannot read {path}: {error}") from None
    items: dict[str, Item] = {}
    for kind, entries in content.items():
        if kind not in KINDS:
            raise ManifestError(f"{path.name}: unknown section [[{kind}]]; there are {', '.join(KINDS)}")
        if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
            raise ManifestError(f"{path.name}: {kind} is no list of entries: each begins with [[{kind}]]")
        for entry in entries:
            item = _item(kind, entry, path.name)
            if item.name in items:
                raise ManifestError(f"{path.name}: {item.name} stands there twice")
            items[item.name] = item
    return items


def _item(kind: str, entry: dict[str, str], where: str) -> Item:
    known = {field.name for field in fields(Item)} - {"kind"}
    name = entry.get("name", "(no name)")
    if unknown := set(entry) - known:
        raise ManifestError(f"{where}: {name} has unknown fields: {', '.join(sorted(unknown))}")
    if missing := {"name", "title", "status"} - set(entry):
        raise ManifestError(f"{where}: {name} lacks {', '.join(sorted(missing))}")
    if wrong := [field for field, value in entry.items() if not isinstance(value, str)]:
        raise ManifestError(f"{where}: {name} has a {wrong[0]} that is no text")
    if entry["status"] not in STATUSES:
        raise ManifestError(f"{where}: {name} is {entry['status']!r}; there are {', '.join(STATUSES)}")
    item = Item(kind=kind, **entry)
    if item.made and not (item.notebook or item.kind == "claim"):
        raise ManifestError(f"{where}: {name} is said to be made, but by no notebook")
    if item.status not in ("reproduced", "made", "not yet made") and not item.reason:
        raise ManifestError(f"{where}: {name} is {item.status!r} without a reason")
    return item


def check_figures(folder: Path, items: dict[str, Item], notebooks: set[str] | None = None) -> list[str]:
    """Compare the figures folder with the manifest, both ways; returns one sentence for each fault.

    Parameters
    ----------
    folder
        The folder with the figures.
    items
        The manifest.
    notebooks
        The notebooks that exist (file names without ending); None leaves them unchecked.
    """
    faults = []
    for path in sorted(folder.glob("*.png")) + sorted(folder.glob("*.md")):
        item = items.get(path.stem)
        if path.name == "CLAIMS.md":
            continue
        if item is None:
            faults.append(f"{path.name} has no entry in the manifest")
        elif not item.made:
            faults.append(f"{path.name} exists, but the manifest calls it {item.status!r}")
    for item in items.values():
        if not item.made:
            continue
        if notebooks is not None and item.notebook and item.notebook not in notebooks:
            faults.append(f"{item.name} is made by {item.notebook}, which does not exist")
        if item.kind == "claim":
            if not (item.evidence in items and items[item.evidence].made):
                faults.append(f"claim {item.name} rests on {item.evidence or 'nothing'}, which is not made")
        else:
            faults.extend(_check_files(folder, item))
    return faults


def _check_files(folder: Path, item: Item) -> list[str]:
    endings = {"table": (".md",), "kit": (".png", ".md")}.get(item.kind, (".png",))  # the kit's own are of both kinds
    faults = []
    if not any((folder / f"{item.name}{ending}").is_file() for ending in endings):
        faults.append(f"{item.name}{endings[0]} is {item.status!r} in the manifest, but missing")
    try:
        provenance = json.loads((folder / f"{item.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return [*faults, f"{item.name}.json is missing or broken"]
    if not isinstance(provenance, dict):
        return [*faults, f"{item.name}.json is broken"]
    if provenance.get("notebook") != item.notebook:
        faults.append(
            f"{item.name}.json says notebook {provenance.get('notebook')!r}, the manifest {item.notebook!r}"
        )
    return faults
