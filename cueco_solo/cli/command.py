"""How every command of ``cueco-solo`` is declared: help text in one form, examples last."""

import argparse
import textwrap
from collections.abc import Callable
from typing import Any


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    summary: str,
    description: str,
    *examples: str,
) -> argparse.ArgumentParser:
    """Add one command.

    Args:
        commands: what ``add_subparsers`` gave.
        name: as typed.
        run: called with the parsed arguments; returns the exit code, None for 0.
        summary: for the list of commands.
        description: for the command's own help.
        examples: whole command lines.

    Returns:
        The command's parser, to add arguments to.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(" ".join(description.split()), 90),
        epilog=epilog(*examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def epilog(*examples: str) -> str:
    """The end of a help text."""
    lines = [f"  {line}" for example in examples for line in example.splitlines()]
    return "\n".join(["example:" if len(examples) == 1 else "examples:", *lines])
