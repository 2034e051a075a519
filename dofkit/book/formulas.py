# SPDX-License-Identifier: GPL-3.0-or-later
r"""The book's mathematics as MathML, which browsers draw themselves: no script, no network. A Sphinx extension.

latex2mathml translates; what it leaves to old browsers' habits is put right here: letters of \mathcal, the spaces
around bars, signs and functions, and formulas side by side, which may wrap on a narrow page.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from dofkit.book.pages import BookError

_SCRIPT = re.compile(r'<mi mathvariant="script">(\w)</mi>')
_SIGN = re.compile(r"(<mo[^>]*>(?:&#x0003D;|&#x00028;|&#x0002C;|&#x0007B;)</mo>)<mo>(&#x02212;|&#x0002B;)</mo>")
_BAR = '<mo stretchy="false">&#x0007C;</mo>'
_FUNCTION = re.compile(r"(\\(?:log|exp|tanh)\b)(?=\s+[\w\\])")
_PARTS = re.compile(r"\\qquad(?![^{]*\})")


def mathml(tex: str, *, display: bool = False) -> str:
    """A formula as MathML.

    Parameters
    ----------
    tex
        The formula as in a notebook, without dollar signs.
    display
        Whether it stands on a line of its own.

    Raises
    ------
    BookError
        If it holds a command that the translator does not know.
    """
    from latex2mathml.converter import convert

    prepared = _FUNCTION.sub(r"\1\\,", tex.strip()).replace(r"\arg", r"\operatorname{arg}")
    try:
        result = convert(prepared, display="block" if display else "inline")
    except Exception as error:  # the translator has a dozen classes of them, and raises others too
        raise BookError(f"the formula {tex!r} cannot be read ({type(error).__name__})") from error
    unknown = re.search(r">(\\[a-zA-Z]+)<", result)
    if unknown:
        raise BookError(f"the formula {tex!r} holds {unknown[1]}, which latex2mathml does not know: write it otherwise")
    result = _SCRIPT.sub(lambda found: f"<mi>{script(found[1])}</mi>", result)
    result = _SIGN.sub(r'\1<mo form="prefix">\2</mo>', result)
    return result.replace(_BAR, '<mo stretchy="false" lspace="0" rspace="0">&#x0007C;</mo>')


def script(letter: str) -> str:
    r"""The script form of a capital letter, as \mathcal writes it.

    Examples
    --------
    >>> script("N"), script("F")
    ('𝒩', 'ℱ')
    """
    for name in ("MATHEMATICAL SCRIPT CAPITAL ", "SCRIPT CAPITAL "):
        try:
            return unicodedata.lookup(name + letter.upper())
        except KeyError:
            continue
    return letter


def side_by_side(tex: str) -> list[str]:
    r"""The formulas of a line that stand beside each other, \qquad between them.

    Examples
    --------
    >>> side_by_side(r"a=b,\qquad c=\begin{cases}1\\0\end{cases}\qquad\text{(Eq. 5)}")
    ['a=b,', 'c=\\begin{cases}1\\\\0\\end{cases}', '\\text{(Eq. 5)}']
    """
    return [part.strip() for part in _PARTS.split(tex) if part.strip()]


def setup(app: Any) -> dict[str, bool]:
    """Make MathML known to Sphinx, as the way to write formulas called `mathml`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(writer: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    writer.body.append(mathml(node.astext()))
    raise SkipNode


def _block(writer: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    parts = "".join(f"<div>{mathml(part, display=True)}</div>" for part in side_by_side(node.astext()))
    writer.body.append(f'<div class="formula">{parts}</div>\n')
    raise SkipNode
