"""Fine-tuning at a grid of two learning rates: the best pair on held-out labelled images counts.

The backbone and the classifier, which starts from nothing, want rates of their own, and those that
suit the backbone of one method don't suit that of another.
"""

import copy
import math
import sys
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig
from torch import nn
from torch.utils.data import Subset

from cueco_solo.errors import config_error
from cueco_solo.evaluation.choice import Choice, Setting, Tried, best_of, given_axis
from cueco_solo.evaluation.finetune import finetune_accuracies, parse_finetune, thawed
from cueco_solo.evaluation.linear import fitted
from cueco_solo.evaluation.per_image import PerImage
from cueco_solo.evaluation.subsets import held_out, labels_of
from cueco_solo.evaluation.tried_before import TriedBefore

HELD_OUT = 20.0  # percent of the labelled images: a tenth of so few would tell little
VALIDATION = "validation images"
_NAMES = "learning_rate", "classifier_learning_rate"
_WIDENED_BY = 4.0  # at least
_METRICS = {"top1": "val_acc1", "top5": "val_acc5", "loss": "val_loss"}


class FinetuneSweep:
    """A choice of both learning rates.

    Args:
        backbone: to start from; it stays as it is.
        cfg: a composed configuration, not yet parsed; its learning rates aren't used.
        train: labelled images, augmented.
        plain: the same as the validation images are; None to choose on these.
        val: the validation images.
        chosen: numbers of the training images to learn from.
        before: what was tried by a sweep that was interrupted.
    """

    def __init__(
        self,
        backbone: nn.Module,
        cfg: DictConfig,
        train: Any,
        plain: Any | None,
        val: Any,
        chosen: Sequence[int],
        before: TriedBefore,
    ) -> None:
        self.backbone, self.cfg, self.train, self.val = backbone, cfg, train, val
        self.chosen, self.before, self.on_validation = list(chosen), before, plain is None
        self.rest, self.judged = self.chosen, val
        if plain is not None:
            aside = {self.chosen[place] for place in self._held_out()}
            self.rest = [image for image in self.chosen if image not in aside]
            self.judged = Subset(plain, sorted(aside))

    def _held_out(self) -> list[int]:
        labels = labels_of(self.train)
        seed = 5 if self.cfg.get("seed") is None else self.cfg.seed
        places = held_out([labels[image] for image in self.chosen], HELD_OUT, seed)
        if not places:
            raise config_error(
                "--sweep",
                True,
                "holds out labelled images of each class, but no class has two",
                "raise --percent, or add --choose validation",
            )
        return places

    def run(
        self,
        rates: Sequence[float],
        classifier_rates: Sequence[float],
        images: PerImage | None = None,
    ) -> tuple[dict[str, float], Choice]:
        """Choose, train on all of the subset with the chosen pair, and validate once.

        What was chosen on the validation images is what was measured then.

        Args:
            rates: of the backbone, for 256 images; the grid is widened where the best is at its
                end, and so is that of the classifier.
            classifier_rates: of the classifier, for 256 images.
            images: where the right answers are noted, unless these images chose.

        Returns:
            tuple: percent on the validation set: ``top1``, ``top5``; and the choice.

        Raises:
            ConfigError: see :func:`.finetune.finetune_accuracies`; or no pair gives a finite loss.
        """
        grid = zip(_NAMES, (rates, classifier_rates), strict=True)
        axes = [given_axis(name, values, _WIDENED_BY) for name, values in grid]
        more = {"chosen_on": VALIDATION} if self.on_validation else {}
        choice = best_of(axes, self._try_all, len(self.judged), **more)
        if choice.best.loss is None:
            raise config_error(
                "--sweep",
                True,
                "led to a loss that isn't finite with every pair of rates",
                "give lower ones; if that doesn't help, the pre-training has diverged",
            )
        if self.on_validation:
            found = self.before.get(choice.best.setting) or {}
            return {name: found[name] for name in ("top1", "top5")}, choice
        parsed = self._parsed(choice.best.setting, self.chosen)
        backbone = copy.deepcopy(self.backbone)
        data = self.train, self.val, self.chosen
        return finetune_accuracies(backbone, parsed, *data, images), choice

    def _parsed(self, setting: Setting, images: Sequence[int]) -> DictConfig:
        cfg = self.cfg.copy()
        cfg.optimizer.lr, cfg.optimizer.classifier_lr = setting
        return parse_finetune(cfg, len(images))

    def _try_all(self, settings: Sequence[Setting]) -> list[Tried]:
        return [
            self._try(setting, f"{number}/{len(settings)}")
            for number, setting in enumerate(settings, 1)
        ]

    def _try(self, setting: Setting, place: str) -> Tried:
        found = self.before.get(setting)
        if found is None:
            backbone = thawed(copy.deepcopy(self.backbone))
            parsed = self._parsed(setting, self.rest)
            trainer = fitted(backbone, parsed, Subset(self.train, self.rest), self.judged)
            metrics = trainer.callback_metrics
            found = {ours: float(metrics[name]) for ours, name in _METRICS.items()}
            if not math.isfinite(found["loss"]):  # whose accuracies are those of the first class
                found = {"top1": 0.0, "top5": 0.0, "loss": None}
            self.before.add(setting, found)
        on = "validation" if self.on_validation else "held-out"
        print(
            f"[{place}] learning rate {setting[0]:.3g}, classifier {setting[1]:.3g}: "
            f"{found['top1']:.2f} on {len(self.judged)} {on} images",
            file=sys.stderr,
            flush=True,
        )
        return Tried(setting, found["top1"], found["loss"])
