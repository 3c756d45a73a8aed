"""The figures of a run folder in tidy form, one per measurement."""

import csv
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypedDict

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.training.checkpoints import read_checkpoint
from cueco_solo.training.run_folder import Run

UNTRAINED = "untrained"
_ONLINE = {"top1": "val_acc1", "top5": "val_acc5"}
_OWN_LABELS = re.compile(r"^(first|best)_head_")  # Self-Classifier's
# the figures' data set and metric say these; seeds may differ
_NOT_COMPARED = ("dataset", "title", "superclasses", "k", "seed", "train_path")
_OWN = "its own"
_SPLITS = ("train", "training", "val", "valid", "validation", "test")


class Figure(TypedDict):
    """One measurement of one run, or one published figure.

    Attributes:
        source: ``"ours"``, or what the figure was published in.
        dataset: data set that was evaluated on.
        method: name of the method.
        backbone: name of the network.
        epochs: of pre-training.
        protocol: ``linear``, ``linear-cached``, ``linear-online``, ``knn``, ``clustering``, ...
        metric: ``top1``, ``nmi``, ... within the protocol.
        value: percent, unless the metric says otherwise.
        seed: of the run; None if published.
        run: the run's folder; None if published.
    """

    source: str
    dataset: str
    method: str
    backbone: str
    epochs: int | None
    protocol: str
    metric: str
    value: float
    seed: int | None
    run: str | None


# data set, protocol, metric, value
Measured = tuple[str, str, str, float]


def dataset_name(data: Any) -> str:
    """What a data set is called: solo-learn's name, or the folder that ``train/`` lies in.

    With CIFAR-100's superclasses as labels it is ``cifar100-20``.

    Args:
        data: a mapping with ``dataset`` and ``train_path``.
    """
    if data.get("title"):  # other data than the run's, under the name that they were given
        return data["title"]
    if data.get("superclasses"):
        return "cifar100-20"
    if data["dataset"] != "custom":
        return data["dataset"]
    path = Path(data["train_path"] or "")
    names = [part for part in path.parts if part.lower() not in _SPLITS and part != path.anchor]
    return names[-1] if names else data["dataset"]


def run_figures(
    run: Run,
    untrained: bool = False,
    only: Collection[str] | None = None,
    dataset: str | None = None,
) -> list[Figure]:
    """All figures of a run folder.

    Those of ``eval-*.json``, unless they are of another checkpoint than the run's newest, the last
    online accuracies of ``metrics.csv``, and the training time where the checkpoint holds it.

    Args:
        run: the run.
        untrained: the figures of the untrained backbone instead, as method ``untrained``.
        only: names of the ``eval-*.json`` to read; default: all.
        dataset: what the run's own data set is called; default: see :func:`dataset_name`. Figures
            on other data, as CIFAR-100's superclasses, keep their name.

    Raises:
        ConfigError: one of these files can't be read.
    """
    found = [] if untrained else _online(run)
    for path in sorted(run.folder.glob("eval-*.json")):
        wanted = only is None or path.name in only
        if wanted and path.stem.endswith("-untrained") == untrained:
            found += _evaluated(run, path, None if untrained else run.checkpoint.name)
    if not untrained:
        found += _training_time(run)
    own = dataset_name(run.cfg.data)
    return [
        Figure(
            source="ours",
            dataset=dataset if dataset and where == own else where,
            method=UNTRAINED if untrained else run.cfg.method,
            backbone=run.cfg.backbone.name,
            epochs=0 if untrained else epochs(run),
            protocol=protocol,
            metric=metric,
            value=value,
            seed=run.cfg.get("seed"),
            run=str(run.folder),
        )
        for where, protocol, metric, value in found
    ]


def evaluation_settings(
    run: Run, only: Collection[str] | None = None
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """What a run's figures depend on beside its features.

    Returns:
        tuple: settings by evaluation that have to agree between runs to be compared, with "its own"
        for the run's own paths; and the names of the files that are of another checkpoint than the
        newest.
    """
    settings, others = {}, []
    for path in sorted(run.folder.glob("eval-*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if only is not None and path.name not in only:
            continue
        if content["checkpoint"] == run.checkpoint.name:
            kept = {k: v for k, v in content["settings"].items() if k not in _NOT_COMPARED}
            if "val_path" in kept and kept["val_path"] == run.cfg.data.get("val_path"):
                kept["val_path"] = _OWN
            if Path(kept.get("subset", "")).parent.name == "subsets":  # which finetune drew itself
                kept["subset"] = _OWN
            settings[path.stem.removeprefix("eval-")] = kept
        elif content["checkpoint"] is not None:
            others.append(path.name)
    return settings, others


def epochs(run: Run) -> int:
    """Epochs that the checkpoint has had; those of the configuration, if its name doesn't say."""
    named = re.search(r"ep=(\d+)$", run.checkpoint.stem)
    return int(named[1]) + 1 if named else run.cfg.max_epochs


def _training_time(run: Run) -> list[Measured]:
    """Seconds in training, summed over the parts of an interrupted run; solo-learn keeps none."""
    try:
        callbacks = read_checkpoint(run.checkpoint, "RUN").get("callbacks", {})
    except ConfigError:  # reported by whoever needs its weights
        return []
    timer = callbacks.get("Timer")
    seconds = [timer["time_elapsed"]["train"]] if timer else []
    return [(dataset_name(run.cfg.data), "training", "seconds", value) for value in seconds]


def _online(run: Run) -> list[Measured]:
    path = run.folder / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for metric, column in _ONLINE.items():
        values = [row[column] for row in rows if row.get(column) and _seen(row, epochs(run))]
        if values:
            found.append((dataset_name(run.cfg.data), "linear-online", metric, float(values[-1])))
    return found


def _seen(row: dict[str, str], number: int) -> bool:
    """Whether a row belongs to the checkpoint's epochs: a killed run may have logged later ones."""
    return not row.get("epoch") or int(row["epoch"]) < number


def _evaluated(run: Run, path: Path, checkpoint: str | None) -> list[Measured]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        results, settings = content["results"], content["settings"]
        if content["checkpoint"] != checkpoint:
            return []
        name = path.stem.removeprefix("eval-").removesuffix("-untrained").partition("@")[0]
        data = settings if "dataset" in settings else {}
        dataset = dataset_name({**run.cfg.data, **data})
        return [
            (dataset, _protocol(name, key), _metric(key), float(value))
            for key, value in results.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "remove it and evaluate again"
        raise config_error("RUN", str(path), "isn't what an evaluation writes", remedy) from error


def _protocol(evaluation: str, key: str) -> str:
    """The published figures' word for what an ``eval-<evaluation>.json`` holds, by figure."""
    name = re.sub(r"^finetune(-|$)", r"semi-supervised\1", evaluation)
    if name != "cluster":
        return name
    own = _OWN_LABELS.match(key)
    return f"clustering-{own[1]}-head" if own else "clustering"


def _metric(key: str) -> str:
    """``cosine_20_top1`` is ``knn20``, ``euclidean_20_top5`` is ``knn20-euclidean-top5``.

    ``cosine_20_mean_per_class`` is ``knn20-mean_per_class``.
    """
    key = _OWN_LABELS.sub("", key)
    named = re.fullmatch(r"(cosine|euclidean)_(\d+)_(top[15]|mean_per_class)", key)
    if not named:
        return key
    distance, k, top = named.groups()
    return f"knn{k}" + "-euclidean" * (distance != "cosine") + f"-{top}" * (top != "top1")
