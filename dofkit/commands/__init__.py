# SPDX-License-Identifier: GPL-3.0-or-later
"""The subcommands of `dofkit`, one module each.

A command is a module with `HELP` (one line), `add_arguments(parser)` and `run(args) -> int`, named in
`dofkit.cli.COMMANDS`. It imports nothing heavy before `run`, so that `dofkit --help` answers at once.
"""
