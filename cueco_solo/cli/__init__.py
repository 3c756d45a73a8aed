# PYTHON_ARGCOMPLETE_OK
"""The console script ``cueco-solo``: everything that works without a solo-learn checkout."""

import argparse
import errno
import io
import os
import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cueco_solo import signals
from cueco_solo.arguments import Parser, epilog, parse_arguments
from cueco_solo.errors import ConfigError, HostError, one_line

# of a path, where there is one, or of a disk, wherever a command meets them; others are ours
_PATH_ERRORS = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE)


def _parser() -> argparse.ArgumentParser:
    # each module is light: what is heavy, it imports when its command runs
    from cueco_solo.cli import (
        compare,
        data,
        doctor,
        embed,
        export,
        lists,
        options,
        pretrain,
        report,
    )
    from cueco_solo.evaluation import commands as evaluations

    parser = Parser(
        prog="cueco-solo",
        description="Train and evaluate self-supervised methods of solo-learn's and of ours.",
        epilog=epilog(
            "cueco-solo data digits-placed --out datasets/digits-placed",
            "cueco-solo pretrain cueco-digits-placed hardware=cpu",
            "cueco-solo knn trained_models/cueco/RUN",
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action=_Version, help="versions of cueco-solo, solo-learn and torch, and exit"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (
        compare,
        pretrain,
        evaluations,
        embed,
        export,
        report,
        data,
        lists,
        options,
        doctor,
    ):
        module.add_parsers(commands)
    return parser


class _Version(argparse.Action):
    """Prints versions without importing what they are of."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from importlib.metadata import PackageNotFoundError, version

        from cueco_solo import __version__
        from cueco_solo.host import host_info

        host = host_info()
        try:
            torch = version("torch")
        except PackageNotFoundError:
            torch = "missing"
        print(f"cueco-solo {__version__}, solo-learn {host.version} ({host.form}), torch {torch}")
        parser.exit()


def _complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that asks for completions, if argcomplete is there to do it."""
    if "_ARGCOMPLETE" in os.environ:
        with suppress(ImportError):
            import argcomplete

            argcomplete.autocomplete(parser)


def _nobody_reads() -> bool:
    """Whether what read the output has gone, as ``head`` does once it has its lines."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit code: 0, 1 where ``doctor`` found something missing or one of several processes
        failed, 2 after a user's error, 3 after a training that has diverged, 130 after Ctrl-C, 143
        after SIGTERM, 138 after SIGUSR1, 141 where nothing reads the output any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may be no text in its encoding
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    _complete(parser)
    try:
        args = parse_arguments(parser, argv)
        with signals.listening():
            code = args.run(args) or 0
            sys.stdout.flush()
            return code
    except signals.Stopped as stop:
        if not stop.told:
            print(f"\ncueco-solo: stopped by {stop.name}; no file is half-written", file=sys.stderr)
        if line := signals.requeue(stop.name):
            print(f"cueco-solo: {line}", file=sys.stderr)
        return int(stop.code or 0)
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        # Python flushes it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ConfigError, HostError) as error:
        if not getattr(error, "told", False):  # by another process of the same training
            print(f"cueco-solo: error: {one_line(error)}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    except OSError as error:
        path = error.filename2 or error.filename
        if error.errno not in _DISK_ERRORS and not (path and error.errno in _PATH_ERRORS):
            raise
        where, what = (f"path={path!r}: ", "the path, its permissions and ") if path else ("", "")
        print(f"cueco-solo: error: {where}{error.strerror}; check {what}the disk", file=sys.stderr)
        return 2
