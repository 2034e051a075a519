# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed as ratios of one alternating run, memory as peak resident set; `make bench` runs all and writes the table."""
