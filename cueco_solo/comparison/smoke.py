"""A grid made small: the same rows and evaluations on digits, to see that all of them run.

What comes out are no results: two epochs of 160 images, with tiny heads and queues.
"""

import re
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig

from cueco_solo.comparison.evaluations import Evaluation
from cueco_solo.comparison.grid import Grid, Method
from cueco_solo.comparison.jobs import composed_method

NOTICE = (
    "SMOKE: a check of wiring only, 160 digits and two epochs in place of each data set; "
    "no figure here is a result"
)
# what stands behind the name of a data set in whose place digits are
MARK = " (smoke)"
_BATCH = 32
# of method_kwargs, where a method has them and its row doesn't say otherwise
_SIZES: dict[str, Any] = {
    "proj_hidden_dim": 32,
    "proj_output_dim": 16,
    "pred_hidden_dim": 32,
    "num_prototypes": 16,
    "queue_size": 4 * _BATCH,
    "num_clusters": 8,
    "mlp_dims": "[32,32,16]",
    "num_heads": 2,
    "head_size": 12,
}
# the same, whatever a row says
_LIFE: dict[str, Any] = {
    "cluster_warmup_steps": 2,
    "cluster_reset_steps": 3,
    "hierarchy_warmup_epochs": 1,
    "num_samples": "null",
    "epoch_queue_starts": 1,
    "warmup_teacher_temperature_epochs": 0,
}
_SETTINGS = (
    "data.dataset=custom",
    "data.train_path=datasets/digits-few/train",
    "data.val_path=datasets/digits-few/val",
    "data.format=image_folder",
    "data.num_workers=0",
    "data.superclasses=False",
    "backbone.name=resnet18",
    f"optimizer.batch_size={_BATCH}",
    "scheduler.warmup_epochs=0",
    "max_epochs=2",
    "checkpoint.frequency=2",
    "checkpoint.dir=trained_models/smoke",
    "hardware=cpu",
    "enable_progress_bar=False",
    "num_sanity_val_steps=0",
)


def smoke_grid(grid: Grid) -> Grid:
    """The grid with every run made small, the first of its seeds, and evaluations of one epoch.

    Raises:
        ConfigError: a configuration or an override of it doesn't exist.
    """
    return replace(
        grid,
        name=f"{grid.name}-smoke",
        methods=tuple(_method(grid, method) for method in grid.methods),
        data=dict.fromkeys(grid.data, ()),
        seeds=grid.seeds[:1],
        evaluations=tuple(dict.fromkeys(map(_evaluation, grid.evaluations))),
        overrides=tuple(map(_small_crops, grid.overrides)),
        mark=MARK,
    )


def _method(grid: Grid, method: Method) -> Method:
    own = tuple(map(_small_crops, method.overrides))
    composed = [composed_method(grid, method, data) for data in grid.data or {"": ()}]
    cfg: DictConfig = composed[0]
    keys: dict[str, Any] = {}
    for one in composed:  # of one method, so that each takes the keys of the others
        keys |= dict(one.get("method_kwargs") or {})
    # a size of 0 says that there is none of it
    before = [f"method_kwargs.{key}={value}" for key, value in _SIZES.items() if keys.get(key)]
    if not any(text.startswith("augmentations=") for text in (*grid.overrides, *own)):
        before.append("augmentations=digits")
    after = [*_SETTINGS, *(f"method_kwargs.{k}={v}" for k, v in _LIFE.items() if k in keys)]
    after += _clusters(cfg, own)
    # rows that differ in what is made small are still runs of their own
    words = re.sub("[^a-z0-9]+", "-", method.name.casefold()).strip("-")
    after.append(f"name=smoke-{words}" + ("-{data}" if grid.data else ""))
    return replace(method, overrides=(*before, *own, *after))


def _clusters(cfg: DictConfig, own: tuple[str, ...]) -> list[str]:
    """Where a row names their number, fewer, as few keys are there; more of them stay more."""
    if not any(text.startswith("method_kwargs.num_clusters=") for text in own):
        return []
    return [f"method_kwargs.num_clusters={max(2, cfg.method_kwargs.num_clusters // 25)}"]


def _small_crops(override: str) -> str:
    """Views of 32 pixels for those of 224."""
    return re.sub(r"^(augmentations=.*)-224$", r"\1-32", override)


def _evaluation(evaluation: Evaluation) -> Evaluation:
    command, *words = evaluation.words
    kept, rest = [], iter(words)
    for word in rest:
        if word in ("--config-name", "--config-path", "--subset"):
            next(rest, None)
        elif word != "--superclasses" and "=" not in word:
            kept.append(word)
    if command == "linear":
        kept += ["--config-name", "linear-custom", "max_epochs=1", "hardware=cpu"]
        kept += [f"optimizer.batch_size={_BATCH}"]
    if command == "finetune":
        kept += ["--config-name", "finetune-custom", "max_epochs=1", "hardware=cpu"]
        kept += ["optimizer.batch_size=8"]
    return Evaluation((command, *kept))
