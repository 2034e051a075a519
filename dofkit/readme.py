# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of README.md, from files that runs have written: `dofkit readme` puts them between their marks.

    <!-- table: tour -->        what each notebook teaches, takes and makes       manifest.toml, times.json
    <!-- table: results -->     what the paper reports beside what was measured   as in CLAIMS.md
    <!-- table: api -->         what to call from Python                          docstrings

A table ends with `<!-- end -->`. What stands between is never edited by hand; a test compares it with the files.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path

from dofkit.claims import statements, verdict
from dofkit.figures import markdown_table
from dofkit.manifest import read_manifest
from dofkit.notebooks import read_notebook
from dofkit.reproduce import all_notebooks

TOUR = {
    "00": "why a mask, a depth, a matte and layers",
    "01": "what depth of field is; scenes with exact truth",
    "02": "Eq. 1; affinities learned, seen, propagated",
    "03": "Eq. 2, 3; what order alone can teach, and what it cannot",
    "04": "Eq. 7-9; what the unit of depth does to lambda",
    "05": "Eq. 4-6, 10; the glow, its cure, matting",
    "06": "a network that imitates the renderer, and who does it better",
    "07": "what each part is worth, against a lens, with intervals",
    "08": "what 22 people and 30 pictures can show; take the study",
    "09": "what each setting touches; your own photograph, live",
    "10": "what a lens does that Eq. 10 does not; focus anywhere, f-numbers, lamps, blades",
}
"""What one learns, by the notebook's number."""


API = (
    "read_photo", "write_photo", "PortraitMode", "Portrait", "stages.Memo", "segmentation.segmenter", "depth.estimator",
    "matting.matte", "layers.split_layers", "blur.disc_kernel", "blur.guided_blur", "render.render_selfie",
    "render.render_layers", "lens_look.render_lens", "filtering.filter_photo", "losses.mask_cross_entropy",
    "losses.ranking_loss", "losses.body_consistency_loss", "propagation.propagate", "spn.SpatialPropagation",
    "training.fit", "portrait_scene", "Scene", "metrics.whdr", "metrics.psnr", "metrics.boundary_leak",
    "ablation.render_variants", "study.statistics.share", "study.crossed.crossed_share", "widgets.explore",
    "widgets.photo.explore_photo", "figures.save_figure",
)
"""What a reader may want to call, below `dofkit`."""


class ReadmeError(ValueError):
    """A README that has no place for a table; the message says which."""


def with_tables(text: str, root: Path) -> str:
    """The text of README.md with all tables as the files say.

    Parameters
    ----------
    text : of the README.
    root : the checkout.

    Raises
    ------
    ReadmeError
        If a table has no marks.
    """
    for name, made in TABLES.items():
        begin, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ReadmeError(f"the README has no <!-- table: {name} --> ... <!-- end -->: put the two marks in it")
        text = f"{before}{begin}{made(root)}\n{end}{after}"
    return text


def tour(root: Path) -> str:
    """Notebook, what one learns, seconds and peak memory of the quick profile, what it makes of the paper."""
    times = json.loads((root / "figures" / "times.json").read_text(encoding="utf-8"))
    made: dict[str, list[str]] = {}
    for item in read_manifest(root / "figures" / "manifest.toml").values():
        if item.kind in ("figure", "table") and item.made:
            made.setdefault(item.notebook, []).append(item.paper)
    rows = []
    for path in all_notebooks(root / "notebooks"):
        number, title = path.stem[:2], read_notebook(path).cells[0].source.partition("\n")[0].lstrip("# ")
        took = times["notebooks"][path.stem]
        rows.append({
            "notebook": f"[{number} {title}](notebooks/{path.name})", "what you learn": TOUR[number],
            "seconds": f"{took['seconds']:.0f}", "peak MB": f"{took['peak_mb']:.0f}",
            "makes": ", ".join(made.get(path.stem, [])) or "-",
        })
    machine = times["machine"]
    return (f"{markdown_table(rows)}\n\n*`make reproduce` in the quick profile: {times['seconds'] / 60:.1f} minutes in "
            f"all, {times['workers']} notebooks at a time, on {machine['cores']} cores ({machine['cpu']}), after the "
            "installation. Seconds and memory are those of each notebook meanwhile.*")


def results(root: Path) -> str:
    """Every claim for which the paper has a number, table or picture, beside what was measured here on other data."""
    rows = []
    for statement in statements(root / "figures"):
        if statement.reported == "in words":
            continue
        finding = None if statement.find is None else statement.find()
        rows.append({
            "the paper says": statement.sentence, "reported": statement.reported,
            "measured here": "-" if finding is None else finding.measured, "on": "-" if finding is None else finding.on,
            "verdict": "cannot be tested" if finding is None else verdict(finding),
        })
    return markdown_table(rows)


def api(_root: Path) -> str:
    """What can be called from Python: name, and the first line of its docstring."""
    rows = []
    for name in API:
        module, _, last = name.rpartition(".")
        found = getattr(importlib.import_module(f"dofkit.{module}".rstrip(".")), last)
        says = (inspect.getdoc(found) or "").partition("\n")[0].rstrip(".:")
        rows.append({"name": f"`dofkit.{name}`", "what": says})
    return markdown_table(rows)


TABLES: dict[str, Callable[[Path], str]] = {"tour": tour, "results": results, "api": api}
