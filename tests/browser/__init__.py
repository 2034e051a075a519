# SPDX-License-Identifier: GPL-3.0-or-later
"""The notebooks in a real browser: JupyterLab in Chromium, as a reader uses them."""
