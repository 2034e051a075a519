# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the book, as MyST-NB reads them: copies of README and notebooks with captions and links put right.

On GitHub and in JupyterLab a caption is an italic paragraph under its picture, "notebook 05" is plain text, and the
README links to files beside it. In a book a caption belongs to its picture, a mention leads to its page, and a file
of the kit becomes a page too. The pages keep the paths that the files have in the checkout, so that links hold.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from dofkit.notebooks import read_notebook
from dofkit.reproduce import all_notebooks

PICTURES = (".png", ".jpg", ".jpeg", ".svg")
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".md": "markdown", ".yml": "yaml"}
"""Files of the kit that can be pages of the book, and what they are written in."""
_AS_IT_IS = re.compile(r"(```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\))", re.DOTALL)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_MENTION = re.compile(r"\b[Nn]otebooks?\s+\d\d(?:(?:,| and| to)\s+\d\d)*\b")
_FIGURE = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+)\)\n\n(\*[^*].*?\*)$(?=\n\n|\n?\Z)", re.MULTILINE | re.DOTALL)


class BookError(ValueError):
    """The book cannot be made; the message says what is wrong with which page, and what to do."""


@dataclass
class Pages:
    """Writes the pages of the checkout `root` into `folder`.

    Attributes
    ----------
    root, folder : Path
        The checkout, and an empty folder.
    linked : set of PurePosixPath
        Files and folders of the checkout that pages written so far link to, and that are no pages themselves.
    """

    root: Path
    folder: Path
    linked: set[PurePosixPath] = field(default_factory=set)

    def write(self) -> None:
        """Write all pages: the tour, the chapters, the claims, the solutions, and the files that these link to.

        Raises
        ------
        BookError
            If a picture has no caption, or a link leads nowhere.
        """
        for path in self.chapters + self.solutions:
            page = PurePosixPath(path.relative_to(self.root).as_posix())
            self._put(page, nbformat.writes(self._notebook(path, page)))
        claims, tour = PurePosixPath("figures/CLAIMS.md"), PurePosixPath("README.md")
        self._put(claims, self.text(self._read(claims), claims))
        self._put(PurePosixPath("index.md"), self.text(self._read(tour), tour) + self._contents(claims))
        for name in sorted(self.linked):
            self._put(PurePosixPath("source", f"{name}.md"), self._file(name))

    @property
    def chapters(self) -> list[Path]:
        """The notebooks of the tour, in their order."""
        return all_notebooks(self.root / "notebooks")

    @property
    def solutions(self) -> list[Path]:
        """The notebooks that solve the exercises."""
        return all_notebooks(self.root / "notebooks" / "solutions")

    def text(self, markdown: str, page: PurePosixPath) -> str:
        """A Markdown text for the book: pictures with captions, and every link and mention of a notebook resolved."""
        markdown = _LINK.sub(lambda found: self._link(found, page), markdown)
        numbers = {path.name[:2]: _between(page, path.relative_to(self.root)) for path in self.chapters}
        markdown = outside_code(markdown, lambda text: mentions(text, numbers))
        return _FIGURE.sub(lambda found: _directive(found[1], found[2], caption_of(found[3]) or ""), markdown)

    def _notebook(self, path: Path, page: PurePosixPath) -> NotebookNode:
        notebook = read_notebook(path)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = self.text(cell.source, page)
        notebook = captioned(notebook, page.as_posix())
        number, first = path.name[:2], notebook.cells[0]
        first.source = first.source.replace("# ", f"# {number} ", 1)  # chapters are called by their numbers
        if path in self.solutions:
            chapter = new_markdown_cell(f"The task is at the end of [notebook {number}](../{path.name}).")
            notebook.cells.insert(1, chapter)
        elif (path.parent / "solutions" / path.name).is_file():
            solution = new_markdown_cell(f"[Solution](solutions/{path.name})")
            notebook.cells.insert(end_of_exercise(notebook), solution)
        return notebook

    def _link(self, found: re.Match[str], page: PurePosixPath) -> str:
        """A link of a page, led to what the book has in place of its target."""
        picture, label, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        name = PurePosixPath(os.path.normpath(page.parent / target.partition("#")[0]))
        path = self.root / name
        if not path.exists() or ".." in name.parts:
            raise BookError(f"{page} links to {target}, which does not exist: mend the link")
        if path.suffix in PICTURES:
            self._copy(name)
        elif not picture and path not in [*self.chapters, *self.solutions] and name.name != "CLAIMS.md":
            self.linked.add(name)
            return f"[{label}]({_between(page, PurePosixPath('source', f'{name}.md'))})"
        return found[0]

    def _contents(self, claims: PurePosixPath) -> str:
        """The order of the pages, which the browser shows at their side."""
        parts = {"The tour": self.chapters, "The paper's claims": [self.root / claims], "Solutions": self.solutions}
        text = ""
        for caption, paths in parts.items():
            names = "\n".join(path.relative_to(self.root).with_suffix("").as_posix() for path in paths)
            text += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{names}\n```\n"
        return text

    def _file(self, name: PurePosixPath) -> str:
        """A page that shows a file of the kit, or the files of a folder one after the other."""
        path = self.root / name
        files = [path] if path.is_file() else sorted(item for item in path.iterdir() if item.suffix in LANGUAGES)
        text = f"---\norphan: true\nnosearch: true\n---\n\n# {name}\n"
        for file in files:
            heading = f"\n## {file.name}\n" if path.is_dir() else ""
            code = file.read_text(encoding="utf-8").rstrip("\n")
            text += f"{heading}\n~~~~~~~~{LANGUAGES.get(file.suffix, 'text')}\n{code}\n~~~~~~~~\n"
        return text

    def _read(self, name: PurePosixPath) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def _put(self, page: PurePosixPath, text: str) -> None:
        path = self.folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _copy(self, name: PurePosixPath) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes((self.root / name).read_bytes())


def captioned(notebook: NotebookNode, name: str) -> NotebookNode:
    """The notebook with each italic paragraph under a picture as that picture's caption and alternative text.

    Parameters
    ----------
    notebook
        A notebook with outputs; it is changed.
    name
        What to call it in a message.

    Raises
    ------
    BookError
        If no such paragraph follows a picture.
    """
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not any(_is_picture(output) for output in cell.outputs):
            continue
        below = notebook.cells[number + 1] if number + 1 < len(notebook.cells) else NotebookNode(source="")
        first, _, rest = below.source.partition("\n\n")
        caption = caption_of(first)
        if caption is None or below.cell_type != "markdown":
            raise BookError(f"{name}: the picture of cell {number + 1} has no caption: put an italic paragraph that "
                            "says what it shows at the top of a Markdown cell under it")
        cell.metadata["mystnb"] = {"image": {"alt": plain_text(caption)}, "figure": {"caption": caption}}
        below.source = rest
    return notebook


def caption_of(paragraph: str) -> str | None:
    """The text of a paragraph that is italic from end to end, or None.

    Examples
    --------
    >>> caption_of("*The mask, and `alpha`.*")
    'The mask, and `alpha`.'
    >>> caption_of("*Stable* means that nothing grows.") is None
    True
    """
    found = re.fullmatch(r"\*(?!\*)(.+)(?<!\*)\*", paragraph.strip(), flags=re.DOTALL)
    return found[1] if found else None


def plain_text(markdown: str) -> str:
    r"""A caption as alternative text: one line without marks.

    Examples
    --------
    >>> plain_text("The *guided*\nblur of [notebook 05](x.ipynb), `r` = 3.")
    'The guided blur of notebook 05, r = 3.'
    """
    text = _LINK.sub(lambda found: found[2], markdown)
    return " ".join(re.sub(r"[*`$]", "", text).split())


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """Apply `change` to a Markdown text, but not to code, formulas and links in it."""
    pieces = _AS_IT_IS.split(markdown)
    return "".join(piece if number % 2 else change(piece) for number, piece in enumerate(pieces))


def mentions(text: str, pages: dict[str, str]) -> str:
    """Make links of the notebooks that a text mentions.

    Parameters
    ----------
    text
        Markdown without code, formulas and links.
    pages
        The link to each notebook by its two digits; one that is not there stays text.

    Examples
    --------
    >>> mentions("Notebooks 04 and 05, later notebook 99", {"04": "a.ipynb", "05": "b.ipynb"})
    '[Notebooks 04](a.ipynb) and [05](b.ipynb), later notebook 99'
    """
    def linked(found: re.Match[str]) -> str:
        return f"[{found[0]}]({pages[found[1]]})" if found[1] in pages else found[0]

    return _MENTION.sub(lambda found: re.sub(r"(?:[Nn]otebooks?\s+)?(\d\d)", linked, found[0]), text)


def end_of_exercise(notebook: NotebookNode) -> int:
    """The number of the cell before which the exercise is over."""
    headings = [number for number, cell in enumerate(notebook.cells)
                if cell.cell_type == "markdown" and re.match(r"#+ ", cell.source)]
    starts = [number for number in headings if re.search(r"^## Exercise", notebook.cells[number].source, re.MULTILINE)]
    later = [number for number in headings if starts and number > starts[-1]]
    return later[0] if later else len(notebook.cells)


def _is_picture(output: NotebookNode) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def _between(page: PurePosixPath, target: PurePosixPath | Path) -> str:
    """The link from one page to another."""
    return PurePosixPath(os.path.relpath(target, page.parent)).as_posix()


def _directive(alt: str, path: str, caption: str) -> str:
    """A picture with a caption, in MyST's words."""
    return f"```{{figure}} {path}\n:alt: {alt}\n\n{caption}\n```"
