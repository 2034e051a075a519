# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the book: Sphinx, with MyST-NB to read notebooks and Furo to show them, on the pages of `dofkit.book.pages`."""

from __future__ import annotations

import importlib.resources
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from dofkit.book.pages import BookError, Pages
from dofkit.manifest import checkout
from dofkit.notebooks import clean_text

MATH_FONT = "STIXTwoMath-Regular.ttf"
"""The font of formulas, under the SIL Open Font License; it comes with ziamath."""


def build_book(out: Path, root: Path | None = None) -> Path:
    """Write the book of a checkout, whole or not at all.

    Parameters
    ----------
    out
        The folder of the book: new, empty, or an earlier book, which is replaced.
    root
        The checkout; by default the one that this package was installed from.

    Returns
    -------
    Path
        The front page.

    Raises
    ------
    BookError
        If a page is faulty, or if `out` holds something else.
    ImportError
        If Sphinx, MyST-NB, Furo, latex2mathml or ziamath is missing.
    """
    root = checkout() if root is None else root
    out = out.absolute()
    if out.exists() and not (out.is_dir() and ((out / ".buildinfo").is_file() or not any(out.iterdir()))):
        raise BookError(f"'{out}' holds something that is not a book: name another folder, or empty it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".book-") as name:
        made = Path(name)
        Pages(root, made / "pages").write()
        _sphinx(made)
        if out.exists():
            shutil.rmtree(out)
        (made / "html").rename(out)
    return out / "index.html"


def _sphinx(folder: Path) -> None:
    """Turn `folder`/pages into `folder`/html; the first warning, such as a dead link, is an error."""
    from sphinx.application import Sphinx

    static = folder / "static"
    static.mkdir()
    for package, file in (("dofkit.book", "book.css"), ("ziamath", f"fonts/{MATH_FONT}")):
        source = importlib.resources.files(package).joinpath(file)
        (static / Path(file).name).write_bytes(source.read_bytes())
    warnings = io.StringIO()
    app = Sphinx(
        srcdir=folder / "pages", confdir=None, outdir=folder / "html", doctreedir=folder / "doctrees",
        buildername="html", confoverrides=_settings(static), status=None, warning=warnings,
    )
    app.build()
    if warnings.getvalue():
        first = clean_text(warnings.getvalue()).strip().splitlines()[0].replace(f"{folder / 'pages'}/", "")
        raise BookError(f"the book has a fault: {first}")


def _settings(static: Path) -> dict[str, Any]:
    return {
        "project": "dofkit",
        "extensions": ["myst_nb", "dofkit.book.formulas"],
        "html_theme": "furo",
        "html_title": "dofkit",
        "html_static_path": [str(static)],
        "html_css_files": ["book.css"],
        "html_math_renderer": "mathml",
        "html_copy_source": False,
        "html_show_copyright": False,
        "html_show_search_summary": False,  # a page opened from a folder may not read the others
        "html_use_index": False,
        "highlight_language": "none",  # indented blocks are commands and drawings, not Python
        "myst_enable_extensions": ["dollarmath"],
        "myst_heading_anchors": 3,
        "nb_execution_mode": "off",
        "nb_render_markdown_format": "myst",  # outputs hold tables, which plain CommonMark does not know
    }
