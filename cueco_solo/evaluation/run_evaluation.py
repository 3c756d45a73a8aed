"""One evaluation of one run: its data, its features, and the file that its figures go to."""

import argparse
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from cueco_solo.data.superclasses import check_superclasses
from cueco_solo.errors import config_error
from cueco_solo.evaluation.checks import check_classifier_settings, evaluation_data
from cueco_solo.training.environment import versions
from cueco_solo.training.hardware import torch_device
from cueco_solo.training.log_filters import quieten
from cueco_solo.training.run_folder import Run, load_run, write_json


class RunEvaluation:
    """One evaluation of one run; making one imports no torch.

    Raises:
        ConfigError: there is no such run or data.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        quieten()
        self.args = args
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

    @cached_property
    def device(self) -> str:
        """Where features are computed, ``"cpu"`` or ``"cuda"``."""
        return torch_device(self.args.device)

    def features(self) -> Any:
        """Those kept in the run folder, or new ones."""
        from cueco_solo.evaluation.feature_cache import cached_features

        return cached_features(
            self.run,
            self.data,
            self.args.untrained,
            self.args.batch_size,
            self.data.num_workers,
            self.device,
            cache=not self.args.no_cache,
        )

    def compose(self, *names: str, finetune: bool = False) -> Any:
        """The configuration that ``config_arguments`` ask for, by default the first of ``names``.

        Args:
            names: of which the last one is ours for any data.
            finetune: the backbone isn't frozen.

        Raises:
            ConfigError: a name, a key, a value or the device can't be used.
        """
        from cueco_solo.training.compose import compose_config, config_names

        args = self.args
        there = config_names(args.config_path, linear=True)
        name = args.config_name or next((name for name in names if name in there), names[-1])
        keys = (*self.settings, "num_workers", "format")
        values = {"devices": 1, **{f"data.{key}": self.data[key] for key in keys}}

        def composed(*hardware: str) -> Any:
            overrides = [*hardware, *args.overrides]
            return compose_config(name, args.config_path, overrides, linear=True, values=values)

        cfg = composed()
        check_classifier_settings(cfg, finetune)  # before the device, for which torch is imported
        chosen = any(word.startswith("hardware=") for word in args.overrides)
        return composed("hardware=cpu") if self.device == "cpu" and not chosen else cfg

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
        settings, untrained = {**self.settings, **settings}, self.args.untrained
        path = self.args.written = figures_path(self.run, name, untrained)
        if getattr(self.args, "reuse", False) and is_done(path, settings, self._key()):
            return
        results = compute()  # which may download the images that the key tells apart
        write_figures(self.run, name, results, settings, self._key(), untrained, notes)

    def _key(self) -> str:
        from cueco_solo.evaluation.feature_cache import features_key, short_digest

        return short_digest(features_key(self.run, self.data, self.args.untrained))

    def report_training(
        self, name: str, cfg: Any, compute: Callable[[], dict[str, float]], **more: Any
    ) -> None:
        """The same of a classifier that ``compute`` trains by a parsed configuration."""
        from omegaconf import OmegaConf

        stated = ("max_epochs", "optimizer", "scheduler", "seed")
        plain: Any = OmegaConf.to_container(OmegaConf.create({key: cfg[key] for key in stated}))
        self.report(name, {**more, **plain}, compute)


def figures_path(run: Run, name: str, untrained: bool = False) -> Path:
    """The file that the figures of an evaluation lie in."""
    return run.folder / f"eval-{name}{'-untrained' if untrained else ''}.json"


def is_done(path: Path, settings: dict[str, Any], key: str) -> bool:
    """Whether a file holds figures under this key and with these very settings."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["key"], content["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return found == (key, json.loads(json.dumps(settings)))


def write_figures(
    run: Run,
    name: str,
    results: dict[str, float],
    settings: dict[str, Any],
    key: str,
    untrained: bool = False,
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Print the figures and what they depend on, and write ``eval-<name>.json``.

    Args:
        run: the run evaluated.
        name: of the evaluation.
        results: by name of the figure; percent, unless ``notes`` says otherwise.
        settings: what they depend on.
        key: short digest of checkpoint, data and transform (:func:`.cache.features_key`).
        untrained: the backbone wasn't the run's trained one; the file gets the suffix
            ``-untrained``.
        notes: what a figure is, printed behind it, for those that aren't percent.

    Returns:
        The file.

    Raises:
        ConfigError: the file can't be written; the figures are printed all the same.
    """
    path = figures_path(run, name, untrained)
    content = {
        "checkpoint": None if untrained else run.checkpoint.name,
        "results": results,
        "settings": settings,
        "key": key,
        "versions": versions(),
    }
    width = max(len(figure) for figure in results)
    print(f"{name} evaluation of {'an untrained ' if untrained else ''}{run.cfg.name}, in percent")
    for figure, value in results.items():
        print(f"  {figure:{width}}  {value:6.2f}  {(notes or {}).get(figure, '')}".rstrip())
    for key, value in settings.items():
        print(f"  {key}: {value}")
    try:
        write_json(path, content)
    except OSError as error:
        reason = f"can't be written ({error.strerror})"
        remedy = "make the run folder writable"
        raise config_error("figures", str(path), reason, remedy) from error
    print(f"written to {path}")
    return path
