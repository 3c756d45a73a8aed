"""One evaluation of one run: its data, its features, and the files that its figures go to."""

import argparse
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from cueco_solo.data.checks import check_workers
from cueco_solo.data.fingerprint import fingerprint
from cueco_solo.data.superclasses import check_superclasses
from cueco_solo.data.transfer_sets import TRANSFER_SETS, input_words
from cueco_solo.errors import config_error
from cueco_solo.evaluation.checks import (
    check_classifier_settings,
    check_overrides,
    evaluation_data,
)
from cueco_solo.evaluation.entries import entry_path, former_path
from cueco_solo.evaluation.other_data import checked_superclasses, other_data
from cueco_solo.evaluation.per_image import PerImage
from cueco_solo.files import read_json, write_json
from cueco_solo.training.environment import versions
from cueco_solo.training.hardware import torch_device
from cueco_solo.training.log_filters import quieten
from cueco_solo.training.run_folder import load_run


class RunEvaluation:
    """One evaluation of one run; making one imports no torch.

    Raises:
        ConfigError: there is no such run or data.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        quieten()
        self.args = args
        self.run = load_run(args.folder)
        self.other = getattr(args, "other", None)
        own, paths = self.run.cfg.data, (args.train_path, args.val_path)
        keys = ["dataset", "train_path", "val_path"]
        if self.other:
            self.data = other_data(own, self.other, *paths, args.download)
            checked_superclasses(self.data, args.superclasses)
            size = self.run.cfg.augmentations[0].crop_size
            self.data.input = input_words(own.dataset, size)
            keys += ["title", "split", "superclasses", "input"]
        else:
            self.data = evaluation_data(self.run, *paths)
            if args.superclasses or self.data.get("superclasses"):
                self.data.superclasses = True
                keys.append("superclasses")
            check_superclasses(self.data, "--superclasses")
        if args.num_workers is not None:
            check_workers(args.num_workers, "--num-workers")
            self.data.num_workers = args.num_workers
        recorded = self.run.recorded  # the same figures, wherever the data lies
        self.settings: dict[str, Any] = {
            key: recorded.get(self.data[key], self.data[key]) for key in keys
        }
        self.images = PerImage()

    @property
    def per_class(self) -> bool:
        """Whether the data set is usually scored by the mean of the classes' accuracies."""
        return bool(self.data.get("per_class"))

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

    def compose(
        self, *names: str, finetune: bool = False, values: Mapping[str, Any] | None = None
    ) -> Any:
        """The configuration that ``config_arguments`` ask for, by default the first of ``names``.

        Args:
            names: of which the last one is ours for any data.
            finetune: it is one for fine-tuning.
            values: by dotted key, instead of the configuration's; overrides win over them.

        Raises:
            ConfigError: a name, a key, a value or the device can't be used.
        """
        from cueco_solo.training.compose import compose_config, config_names

        args = self.args
        there = config_names(args.config_path, linear=True)
        name = args.config_name or next((name for name in names if name in there), names[-1])
        keys = ("dataset", "train_path", "val_path", "superclasses", "num_workers", "format")
        given = {f"data.{key}": self.data[key] for key in keys if key in self.data}
        if self.other:  # solo-learn knows image folders, and counts their classes
            given["data.dataset"] = "custom"
            given.pop("data.superclasses")
        values = {"devices": 1, **given, **(values or {})}

        def composed(*hardware: str) -> Any:
            overrides = [*hardware, *args.overrides]
            return compose_config(name, args.config_path, overrides, linear=True, values=values)

        check_overrides(args.overrides)
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
        details: dict[str, Any] | None = None,
    ) -> None:
        """Print what ``compute`` gives and write it to the evaluation's entry.

        Figures are percent; what others are, ``compute`` may put into ``notes``, how they came
        about, as JSON, into ``details``, and what was found of each validation image into
        ``self.images``; the latter two go to the file. Nothing is computed where
        ``args.reuse`` is set and the entry has the figures of this very checkpoint and data. The
        entry is added to ``args.written``. See :mod:`.entries`.

        Raises:
            ConfigError: the file can't be written; the figures are printed all the same.
        """
        settings = {**self.settings, **settings}
        place = self.run.folder, name, settings, self.args.untrained
        path, former = entry_path(*place), former_path(*place)
        if getattr(self.args, "reuse", False):
            for done in filter(None, (path, former)):
                if is_done(done, settings, self.key()):
                    self._written(done)
                    return
        self._written(path)
        self.images = PerImage(self._validation_digest())
        results = compute()  # which may download the images that the key tells apart
        backbone = f"{'an untrained ' if self.args.untrained else ''}{self.run.cfg.name}"
        on = f" on {self.data.title}" if self.other else ""
        print(f"{name} evaluation of {backbone}{on}, in percent")
        width = max(len(figure) for figure in results)
        for figure, value in results.items():
            print(f"  {figure:{width}}  {value:6.2f}  {(notes or {}).get(figure, '')}".rstrip())
        for key, value in settings.items():
            print(f"  {key}: {value}")
        content = {
            "checkpoint": None if self.args.untrained else self.run.checkpoint.name,
            "results": results,
            "settings": settings,
            "key": self.key(),
            "versions": versions(),
            **(details or {}),
            **({"images": self.images.to_json()} if self.images else {}),
        }
        try:
            write_json(path, content)
        except OSError as error:
            reason = f"can't be written ({error.strerror})"
            remedy = "make the run folder writable"
            raise config_error("figures", str(path), reason, remedy) from error
        if former:  # the same figures under the name of 0.1.0
            former.unlink(missing_ok=True)
        print(f"written to {path}")

    def _validation_digest(self) -> str:
        """Of the validation images' names and sizes; empty where the data set's name says all."""
        if self.data.dataset in TRANSFER_SETS:
            return ""
        found = fingerprint(DictConfig({**self.data, "train_path": self.data.val_path}))
        return str(found.get("digest", ""))

    def _written(self, path: Path) -> None:
        self.args.written = [*getattr(self.args, "written", ()), path]

    def key(self) -> str:
        """Of checkpoint, data and transform: other figures have another one."""
        from cueco_solo.evaluation.feature_cache import features_key, short_digest

        return short_digest(features_key(self.run, self.data, self.args.untrained))

    def report_training(
        self,
        name: str,
        cfg: Any,
        compute: Callable[[], dict[str, float]],
        notes: dict[str, str] | None = None,
        details: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """The same of a classifier that ``compute`` trains by a parsed configuration."""
        from omegaconf import OmegaConf

        stated = ("max_epochs", "optimizer", "scheduler", "seed")
        plain: Any = OmegaConf.to_container(OmegaConf.create({key: cfg[key] for key in stated}))
        self.report(name, {**more, **plain}, compute, notes, details)


def is_done(path: Path, settings: dict[str, Any], key: str) -> bool:
    """Whether a file holds figures under this key and with these very settings."""
    try:
        content = read_json(path)
        found = content["key"], content["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return found == (key, json.loads(json.dumps(settings)))
