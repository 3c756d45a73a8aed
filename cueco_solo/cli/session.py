"""What the commands that evaluate a run have in common: arguments, the run, its data."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHARED = """RUN is a run folder of cueco-solo pretrain, or any folder with solo-learn's args.json
and a checkpoint. Data and image size are those of the run unless other paths are given. The figures
are printed and written to RUN/eval-*.json."""


def number(kind: type, allowed: str, valid: Callable[[Any], bool]) -> Callable[[str], Any]:
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
percentage = number(float, "a number in (0, 100]", lambda value: 0 < value <= 100)


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, which data, where to compute."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="the run folder")
    parser.add_argument("--train-path", metavar="DIR", help="instead of the run's data.train_path")
    parser.add_argument("--val-path", metavar="DIR", help="instead of the run's data.val_path")
    parser.add_argument(
        "--superclasses",
        action="store_true",
        help="of CIFAR-100: its 20 superclasses are the labels (CIFAR-100-20)",
    )
    parser.add_argument(
        "--untrained",
        action="store_true",
        help="the backbone as it was before the first step, to compare with",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--num-workers", type=count, metavar="N", help="default: the run's data.num_workers"
    )


def feature_arguments(parser: argparse.ArgumentParser) -> None:
    """How features are extracted."""
    parser.add_argument(
        "--batch-size", type=positive, default=256, help="of the feature extraction (256)"
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="neither read nor keep extracted features"
    )


def config_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """The configuration of a classifier's training."""
    parser.add_argument(
        "--config-name", metavar="NAME", help=f"default: {name}-<data set of the run>"
    )
    parser.add_argument("--config-path", metavar="DIR", help="folder of your own configurations")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="Hydra overrides, e.g. max_epochs=50"
    )


class Session:
    """One evaluation of one run.

    Raises:
        ConfigError: there is no such run, device or data.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        import torch

        from cueco_solo.cli.quiet import quieten
        from cueco_solo.data.superclasses import check_superclasses
        from cueco_solo.errors import config_error
        from cueco_solo.evaluation.features import evaluation_data
        from cueco_solo.runs import load_run

        quieten()
        self.args = args
        there = torch.cuda.is_available()
        if args.device == "cuda" and not there:
            raise config_error("--device", "cuda", "isn't there", "leave it out or take cpu")
        self.device = "cuda" if there and args.device != "cpu" else "cpu"
        self.run = load_run(args.folder)
        self.data = evaluation_data(self.run, args.train_path, args.val_path)
        if args.num_workers is not None:
            self.data.num_workers = args.num_workers
        keys = ["dataset", "train_path", "val_path"]
        if args.superclasses or self.data.get("superclasses"):
            self.data.superclasses = True
            keys.append("superclasses")
        check_superclasses(self.data, "--superclasses")
        self.settings: dict[str, Any] = {key: self.data[key] for key in keys}

    def features(self) -> Any:
        """Those kept in the run folder, or new ones."""
        from cueco_solo.evaluation.cache import cached_features

        return cached_features(
            self.run,
            self.data,
            self.args.untrained,
            self.args.batch_size,
            self.data.num_workers,
            self.device,
            cache=not self.args.no_cache,
        )

    def compose(self, *names: str) -> Any:
        """The configuration that ``config_arguments`` ask for, by default the first of ``names``.

        Args:
            names: of which the last one is ours for any data.
        """
        from cueco_solo.cli.compose import compose_config, config_names

        args, overrides = self.args, list(self.args.overrides)
        if self.device == "cpu" and not any(word.startswith("hardware=") for word in overrides):
            overrides.insert(0, "hardware=cpu")
        there = config_names(args.config_path, linear=True)
        keys = (*self.settings, "num_workers", "format")
        return compose_config(
            args.config_name or next((name for name in names if name in there), names[-1]),
            args.config_path,
            overrides,
            linear=True,
            values={"devices": 1, **{f"data.{key}": self.data[key] for key in keys}},
        )

    def report(
        self,
        name: str,
        settings: dict[str, Any],
        compute: Callable[[], dict[str, float]],
        notes: dict[str, str] | None = None,
    ) -> None:
        """Print and write what ``compute`` gives, which may fill ``notes``; note the file in args.

        Nothing is computed where ``args.reuse`` is set and the figures are there, of this very
        checkpoint and data and with these settings.
        """
        from cueco_solo.evaluation import figures

        settings, untrained = {**self.settings, **settings}, self.args.untrained
        path = self.args.written = figures.figures_path(self.run, name, untrained)
        if getattr(self.args, "reuse", False) and figures.is_done(path, settings, self._key()):
            return
        results = compute()  # which may download the images that the key tells apart
        figures.write_figures(self.run, name, results, settings, self._key(), untrained, notes)

    def _key(self) -> str:
        from cueco_solo.evaluation.cache import features_key, short_digest

        return short_digest(features_key(self.run, self.data, self.args.untrained))

    def report_training(
        self, name: str, cfg: Any, compute: Callable[[], dict[str, float]], **more: Any
    ) -> None:
        """The same of a classifier that ``compute`` trains by a parsed configuration."""
        from omegaconf import OmegaConf

        stated = ("max_epochs", "optimizer", "scheduler", "seed")
        plain: Any = OmegaConf.to_container(OmegaConf.create({key: cfg[key] for key in stated}))
        self.report(name, {**more, **plain}, compute)
