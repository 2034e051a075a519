# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: `dofkit render | reproduce | train | pairs | evaluate | claims | readme | study | book`.

Exit codes: 0 done; 1 something that was run failed; 2 a wrong option, file or value (one line says which);
130 stopped with Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import dofkit

COMMANDS = ("render", "reproduce", "train", "pairs", "evaluate", "claims", "readme", "study", "book")
"""The subcommands; each is a module of `dofkit.commands`."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with exit code 2."""
        self.exit(2, f"dofkit: {' '.join(message.split())} (see `{self.prog} --help`)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line.

    Examples
    --------
    >>> build_parser().parse_args(["render", "me.jpg", "-o", "out.png"]).layers
    6
    """
    parser = Parser(prog="dofkit", description="Portrait mode from one photograph (Xu et al., ECCV 2018).")
    parser.add_argument("--version", action="version", version=f"dofkit {dofkit.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"dofkit.commands.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a wrong input is reported in one line.

    Parameters
    ----------
    argv
        The arguments; by default those of the process.
    """
    try:
        args = build_parser().parse_args(argv)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _report("stopped", 130)
    except BrokenPipeError:  # the reader of our output has gone, for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImportError as error:
        return _report(f"{error} (`make install` sets up everything)", 1)
    except MemoryError:
        return _report("not enough memory: use a smaller picture", 1)
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # torch's own kind of MemoryError
            raise
        return _report("not enough memory: use a smaller picture, or less at once", 1)
    except OSError as error:
        return _report(f"{error.strerror or error}: {error.filename}" if error.filename else str(error), 2)
    except ValueError as error:
        if not type(error).__module__.startswith("dofkit."):
            raise  # a fault of ours, not of the input: show where
        return _report(str(error), 2)


def _report(message: str, code: int) -> int:
    print("dofkit:", " ".join(message.split()), file=sys.stderr)
    return code
