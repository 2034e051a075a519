# SPDX-License-Identifier: GPL-3.0-or-later
"""The book: built once as a user builds it, then read as a browser reads it, link by link and picture by picture."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from pathlib import PurePosixPath as Pure
from urllib.parse import unquote, urlsplit

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dofkit.book import formulas
from dofkit.book.building import build_book
from dofkit.book.pages import BookError, Pages, captioned, end_of_exercise
from dofkit.notebooks import read_notebook
from dofkit.reproduce import all_notebooks

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = all_notebooks(ROOT / "notebooks")
SOLUTIONS = all_notebooks(ROOT / "notebooks" / "solutions")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """What a browser would load for a page, show on it, and follow from it."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.loads: list[str] = []
        self.links: dict[str, set[str]] = {}
        self.pictures: list[dict] = []
        self.names: set[str] = set()
        self.captions = self.formulas = 0
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.names |= {values[key] for key in ("id", "name") if values.get(key)}
        self.captions += tag == "figcaption"
        self.formulas += tag == "math"
        if values.get(LOADED.get(tag, "")):
            self.loads.append(values[LOADED[tag]])
        if tag == "img":
            self.pictures.append(values)
        if tag == "a" and values.get("href"):
            self.links.setdefault(values["href"], set()).update((values.get("class") or "").split())

    def leads_to(self, link: str) -> tuple[Path, str]:
        parts = urlsplit(link)
        path = (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path
        return path, parts.fragment


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> dict[str, Page]:
    """The pages of the book, by their names without ending."""
    pytest.importorskip("myst_nb", reason="the extra `book` is not installed")
    out = tmp_path_factory.mktemp("book").resolve() / "book"
    command = [sys.executable, "-m", "dofkit", "book", "--out", str(out)]
    here = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=here, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"written: {out / 'index.html'}\n", "")
    assert [path.name for path in out.parent.iterdir()] == ["book"], "nothing half-done stays"
    return {path.relative_to(out).with_suffix("").as_posix(): Page(path) for path in sorted(out.rglob("*.html"))}


def name(notebook: Path) -> str:
    return notebook.relative_to(ROOT).with_suffix("").as_posix()


def test_everything_has_a_page(book):
    assert {name(path) for path in CHAPTERS + SOLUTIONS} | {"index", "figures/CLAIMS"} <= set(book)
    assert "source/dofkit/spn.py" in book  # the README links to it


def test_every_link_leads_somewhere(book):
    by_path = {page.path: page for page in book.values()}
    for page in book.values():
        for link in [*page.links, *page.loads]:
            if urlsplit(link).scheme in ("https", "data"):
                continue
            path, anchor = page.leads_to(link)
            assert path.is_file(), f"{page.path.name}: {link}"
            assert not anchor or path not in by_path or anchor in by_path[path].names, f"{page.path.name}: {link}"


def test_nothing_is_fetched_from_elsewhere(book):
    for page in book.values():
        assert not [link for link in page.loads if urlsplit(link).scheme not in ("", "data")], page.path
        assert not re.search(r"(?:import|fetch)\s*\(?\s*[\"']https?:", page.text), page.path
    out = book["index"].path.parent
    for path in out.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", path.read_text(encoding="utf-8")), path


def test_every_picture_is_described_and_has_its_caption(book):
    pages = [book[name(path)] for path in CHAPTERS] + [book["index"]]
    for page in pages:
        assert all((picture.get("alt") or "").strip() for picture in page.pictures), page.path
        assert page.captions == len(page.pictures)
    assert sum(len(page.pictures) for page in pages) > 40


def test_formulas_are_drawn_by_the_browser_alone(book):
    for path in CHAPTERS:
        assert book[name(path)].formulas or "$$" not in path.read_text(encoding="utf-8")
    scripts = {load for page in book.values() for load in page.loads if ".js" in load}
    assert not [script for script in scripts if re.search(r"math|katex", script, re.IGNORECASE)]
    assert "ℱ" in book["notebooks/02_segment_with_an_spn"].text


def test_tables_are_tables(book):
    rule = re.compile(r"^\|(?: *:?-+:? *\|)+$", re.MULTILINE)
    found = 0
    for path in CHAPTERS:
        cells = read_notebook(path).cells
        texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
        outputs = [out for cell in cells for out in cell.get("outputs", [])]
        texts += [out.get("data", {}).get("text/markdown", "") for out in outputs]
        written = sum(len(rule.findall(text)) for text in texts)
        assert book[name(path)].text.count("<table") == written
        found += written
    assert found > len(CHAPTERS)


def test_one_can_read_from_the_first_page_to_the_last(book):
    order = [book[key] for key in ("index", *map(name, CHAPTERS), "figures/CLAIMS", *map(name, SOLUTIONS))]
    for before, after in itertools.pairwise(order):
        forward = {before.leads_to(link)[0] for link, kinds in before.links.items() if "next-page" in kinds}
        back = {after.leads_to(link)[0] for link, kinds in after.links.items() if "prev-page" in kinds}
        assert (forward, back) == ({after.path}, {before.path})


def test_chapters_and_solutions_lead_to_each_other(book):
    for path in SOLUTIONS:
        chapter, solution = book[name(path.parents[1] / path.name)], book[name(path)]
        article = chapter.text.partition('role="main"')[2]
        assert f'href="solutions/{path.stem}.html"' in article.partition("</article>")[0]
        article = solution.text.partition('role="main"')[2]
        assert f'href="../{path.stem}.html"' in article.partition("</article>")[0]


# What the pages are made of


@pytest.fixture
def pages(tmp_path) -> Pages:
    """A checkout of one chapter, with a file beside it."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "05_blur.ipynb").write_text("")
    (tmp_path / "spn.py").write_text("x = 1\n")
    (tmp_path / "a.png").write_bytes(b"picture")
    return Pages(tmp_path, tmp_path / "pages")


def test_links_and_mentions_are_resolved(pages):
    text = "See notebook 05, `notebook 05`, notebook 77, [the file](../spn.py), [05](05_blur.ipynb), [web](https://a.b)."
    assert pages.text(text, Pure("notebooks/06_x.ipynb")) == (
        "See [notebook 05](05_blur.ipynb), `notebook 05`, notebook 77, [the file](../source/spn.py.md), "
        "[05](05_blur.ipynb), [web](https://a.b)."
    )
    assert pages.linked == {Pure("spn.py")}


def test_a_picture_of_the_readme_becomes_a_figure(pages):
    made = pages.text("Text.\n\n![A disc](a.png)\n\n*A disc,\nby notebook 05.*\n\nMore.\n", Pure("README.md"))
    assert made == ("Text.\n\n```{figure} a.png\n:alt: A disc\n\nA disc,\nby [notebook 05](notebooks/05_blur.ipynb).\n"
                    "```\n\nMore.\n")
    assert (pages.folder / "a.png").read_bytes() == b"picture"


@pytest.mark.parametrize("target", ["gone.py", "../outside.py"])
def test_a_dead_link_is_named(pages, target):
    with pytest.raises(BookError, match=rf"README.md links to {re.escape(target)}, which does not exist"):
        pages.text(f"[file]({target})", Pure("README.md"))


def drawing() -> dict:
    return new_code_cell("draw()", outputs=[new_output("display_data", {"image/png": "AAAA", "text/plain": "<>"})])


def test_a_caption_moves_to_its_picture():
    below = new_markdown_cell("*A `disc`\nof radius $r$.*\n\nMore.")
    notebook = captioned(new_notebook(cells=[drawing(), below]), "x.ipynb")
    assert notebook.cells[0].metadata["mystnb"] == {
        "image": {"alt": "A disc of radius r."}, "figure": {"caption": "A `disc`\nof radius $r$."},
    }
    assert below.source == "More."


@pytest.mark.parametrize("below", [[], [new_markdown_cell("Plain.")], [new_code_cell("*x*")]])
def test_a_picture_without_caption_is_refused(below):
    with pytest.raises(BookError, match=r"x.ipynb: the picture of cell 1 has no caption: put an italic paragraph"):
        captioned(new_notebook(cells=[drawing(), *below]), "x.ipynb")


def test_the_solution_stands_at_the_end_of_the_exercise():
    texts = ["# Title", "## Exercises\n\nDo it.", "A hint.", "## What the paper reports", "**Next:**"]
    cells = [new_markdown_cell(text) for text in texts]
    assert end_of_exercise(new_notebook(cells=cells)) == 3
    assert end_of_exercise(new_notebook(cells=cells[:3])) == 3
    assert end_of_exercise(new_notebook(cells=cells[:1])) == 1


def test_formulas():
    pytest.importorskip("latex2mathml", reason="the extra `book` is not installed")
    assert "<mi>𝒩</mi>" in formulas.mathml(r"\mathcal N")
    assert formulas.mathml("|a|").count('lspace="0" rspace="0"') == 2
    assert '<mo form="prefix">&#x02212;</mo>' in formulas.mathml("a = -b")
    assert 'form="prefix"' not in formulas.mathml("a - b")
    assert 'display="block"' in formulas.mathml("x", display=True)
    with pytest.raises(BookError, match=r"holds \\nosuch, which latex2mathml does not know"):
        formulas.mathml(r"\nosuch x")
    with pytest.raises(BookError, match="cannot be read"):
        formulas.mathml(r"\left( x")


# Nothing lost


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BookError, match="holds something that is not a book"):
        build_book(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_fault_leaves_the_earlier_book(tmp_path):
    out, root = tmp_path / "out" / "book", tmp_path / "checkout"
    out.mkdir(parents=True)
    (out / ".buildinfo").write_text("a book")
    (root / "notebooks").mkdir(parents=True)
    (root / "figures").mkdir()
    (root / "figures" / "CLAIMS.md").write_text("# Claims\n\n[gone](gone.md)\n")
    (root / "README.md").write_text("# Title\n")
    with pytest.raises(BookError, match=r"CLAIMS.md links to gone.md"):
        build_book(out, root)
    assert [path.name for path in out.parent.rglob("*")] == ["book", ".buildinfo"]
