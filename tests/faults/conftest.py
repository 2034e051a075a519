# SPDX-License-Identifier: GPL-3.0-or-later
"""At the end, how many inputs were tried of each kind."""

from tests.faults.damage import TIMES, tried


def pytest_terminal_summary(terminalreporter):
    if tried:
        terminalreporter.section(f"inputs tried ({'CI' if TIMES == 1 else 'nightly'})")
        for kind, number in sorted(tried.items()):
            terminalreporter.write_line(f"{number:7d}  {kind}")
        terminalreporter.write_line(f"{tried.total():7d}  in all")
