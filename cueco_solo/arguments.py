"""How the commands of ``cueco-solo`` are declared: help texts, types of values, parsing."""

import argparse
import difflib
import math
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

WAIT = "for another process that works on the same folder, instead of stopping with an error"


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Adds the default to the help of an option that doesn't say it itself."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        said = action.help and "default" in action.help
        none = action.default is None or action.default == argparse.SUPPRESS
        if said or none or action.nargs == 0:
            return action.help
        if isinstance(action.default, list | tuple):
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return f"{action.help} (default: %(default)s)"


class Parser(argparse.ArgumentParser):
    """Suggests the command or the choice that a misspelt one is close to."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            close = difflib.get_close_matches(str(value), choices, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            listed = ", ".join(choices)
            raise argparse.ArgumentError(
                action, f"invalid choice: {value!r} (choose from {listed}){hint}"
            )


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int | None] | None,
    summary: str,
    description: str,
    *examples: str,
) -> argparse.ArgumentParser:
    """Add one command and return its parser, to add arguments to.

    Args:
        run: called with the parsed arguments; returns the exit code, None for 0. None if commands
            of its own are required.
        examples: whole command lines.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(" ".join(description.split()), 90),
        epilog=epilog(*examples),
        formatter_class=_Formatter,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def parse_arguments(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> argparse.Namespace:
    """Parse a command; overrides may stand on both sides of an option."""
    args, rest = parser.parse_known_args(argv)
    unknown = [word for word in rest if word.startswith("-")]
    if unknown or (rest and not hasattr(args, "overrides")):
        known = [option for action in args.parser._actions for option in action.option_strings]
        close = difflib.get_close_matches(unknown[0].partition("=")[0], known, 1) if unknown else []
        hint = f"; did you mean {close[0]}?" if close else ""
        args.parser.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
    if rest:
        args.overrides += rest
    return args


def epilog(*examples: str) -> str:
    """The end of a help text."""
    lines = [f"  {line}" for example in examples for line in example.splitlines()]
    return "\n".join(["example:" if len(examples) == 1 else "examples:", *lines])


def number(
    kind: Callable[[str], Any], allowed: str, valid: Callable[[Any], bool]
) -> Callable[[str], Any]:
    """An argparse type; ``allowed`` completes the message for what it refuses."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not valid(value):
            raise argparse.ArgumentTypeError(f"{text!r} must be {allowed}")
        return value

    return read


positive = number(int, "an integer of at least 1", lambda value: value >= 1)
count = number(int, "an integer of at least 0", lambda value: value >= 0)
seed = number(int, "an integer in [0, 2**32 - 1]", lambda value: 0 <= value < 2**32)
above_zero = number(float, "a number above 0", lambda value: 0 < value < math.inf)
not_negative = number(float, "a number of at least 0", lambda value: 0 <= value < math.inf)
percentage = number(float, "a number in (0, 100]", lambda value: 0 < value <= 100)
