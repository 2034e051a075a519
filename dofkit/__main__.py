# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m dofkit` is `dofkit`."""

import sys

from dofkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
