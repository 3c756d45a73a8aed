"""What is measured of every run: the commands of ``cueco-solo`` that evaluate one, as typed."""

import argparse
import contextlib
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import DictConfig

from cueco_solo.arguments import parse_arguments
from cueco_solo.errors import ConfigError, config_error
from cueco_solo.evaluation.commands import add_parsers
from cueco_solo.evaluation.other_data import chosen_data, other_data

DEFAULT = ("linear --cached", "knn", "cluster")
_COMMANDS = ("linear", "knn", "fewshot", "cluster", "finetune")


class _Parser(argparse.ArgumentParser):
    """argparse that raises instead of leaving the program; its commands' parsers are such, too."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


@dataclass(frozen=True)
class Evaluation:
    """One command without its run folder: ``("knn", "--k", "20")``."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.words)

    def run(self, folder: Path, untrained: bool = False) -> list[Path]:
        """Evaluate a run, unless the figures of its newest checkpoint with this setting are there.

        Returns:
            The files that the figures are in.

        Raises:
            ConfigError: it can't be done.
        """
        args = self._parse(str(folder), *(["--untrained"] if untrained else []))
        args.reuse = True
        with contextlib.redirect_stdout(io.StringIO()):  # there will be a table of all of them
            args.run(args)
        return args.written

    def check(self) -> None:
        """Refuse what the command would refuse of its arguments.

        Raises:
            ConfigError: an option or a value isn't known.
        """
        self._parse("RUN")

    @property
    def elsewhere(self) -> bool:
        """Whether it names data of its own, which the grid's ``transfer`` doesn't replace."""
        args = self._parse("RUN")
        return any(getattr(args, key, None) for key in ("datasets", "train_path", "val_path"))

    @property
    def cached(self) -> bool:
        """Whether a linear probe is trained on features extracted once."""
        args = self._parse("RUN")
        return bool(args.cached or args.sweep)

    def check_data(self, key: str) -> None:
        """Refuse other data sets that aren't there, which the user names by ``key``.

        Raises:
            ConfigError: they aren't.
        """
        try:
            args = self._parse("RUN")
            for name, train, val in chosen_data(args):
                other_data(DictConfig({}), name, train, val, args.download)
        except ConfigError as error:
            raise ConfigError(f"{key}: {error}") from error

    def _parse(self, *more: str) -> argparse.Namespace:
        command, *rest = self.words
        try:
            return parse_arguments(_parser(), [command, *more, *rest])
        except ConfigError as error:
            raise config_error("evaluations", str(self), "isn't understood", str(error)) from error


def transferred(
    evaluations: Sequence[Evaluation], value: Any
) -> tuple[tuple[str, ...], tuple[Evaluation, ...]]:
    """Evaluations of every run on other data sets, the grid's ``transfer``.

    Args:
        evaluations: of the runs' own data; all but ``finetune`` are made on the others, too.
        value: list of texts as one types them behind ``--dataset``; None stands for none.

    Returns:
        The texts, and the evaluations: those given first, then by data set.

    Raises:
        ConfigError: a text isn't understood, or a data set isn't there.
    """
    texts: Sequence[Any] = () if value is None else value
    if not isinstance(texts, list | tuple) or not all(isinstance(t, str) and t for t in texts):
        raise config_error("transfer", value, "must be a list of texts", "e.g. flowers102")
    repeated = [one for one in evaluations if one.words[0] != "finetune" and not one.elsewhere]
    found = list(evaluations)
    for text in texts:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise config_error("transfer", text, "isn't understood", str(error)) from error
        for evaluation in repeated:
            if evaluation.words[0] == "linear" and not evaluation.cached:
                reason = "can't be done on transfer's data sets"
                remedy = "add --cached or --sweep"
                raise config_error("evaluations", str(evaluation), reason, remedy)
            more = Evaluation((*evaluation.words, "--dataset", *words))
            if more in found:
                raise config_error("transfer", text, "stands there twice", "remove one")
            more.check_data("transfer")
            found.append(more)
    return tuple(texts), tuple(found)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False)
    commands = parser.add_subparsers(dest="command", required=True)
    add_parsers(commands)
    return parser


def parse_evaluations(value: Any) -> tuple[Evaluation, ...]:
    """Read the grid's ``evaluations``.

    Args:
        value: list of texts as one types them behind ``cueco-solo``, without the run folder; None
            stands for linear on cached features, k-NN and clustering.

    Raises:
        ConfigError: one of them isn't a command that evaluates, or stands there twice.
    """
    texts: Sequence[Any] = DEFAULT if value is None else value
    if not isinstance(texts, list | tuple) or not all(isinstance(t, str) and t for t in texts):
        raise config_error("evaluations", value, "must be a list of texts", 'e.g. "knn --k 20"')
    found = []
    for text in texts:
        try:
            evaluation = Evaluation(tuple(shlex.split(text)))
        except ValueError as error:
            raise config_error("evaluations", text, "isn't understood", str(error)) from error
        if not evaluation.words or evaluation.words[0] not in _COMMANDS:
            allowed = f"must start with one of {', '.join(_COMMANDS)}"
            raise config_error("evaluations", text, allowed)
        evaluation.check()
        evaluation.check_data("evaluations")
        if evaluation in found:
            raise config_error("evaluations", text, "stands there twice", "remove one")
        found.append(evaluation)
    return tuple(found)
