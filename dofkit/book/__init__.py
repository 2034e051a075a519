# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial as a book to read in a browser: static HTML from the notebooks as they are committed.

`pages` turns notebooks and README into pages (captions, links, solutions), Sphinx with MyST-NB lays them out,
`formulas` writes the mathematics, and `building` runs it all. Nothing is executed and nothing is downloaded, at
building or at reading.
"""
