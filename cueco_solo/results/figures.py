"""The figures of a run folder in tidy form, one per measurement."""

import csv
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.evaluation.entries import evaluation_of, is_untrained
from cueco_solo.evaluation.per_image import PerImage
from cueco_solo.files import read_json
from cueco_solo.results.settings import compared_settings
from cueco_solo.training.checkpoints import finite_weights, read_checkpoint, stage
from cueco_solo.training.run_folder import Run

UNTRAINED = "untrained"
_ONLINE = {"top1": "val_acc1", "top5": "val_acc5"}
_OWN_LABELS = re.compile(r"^(first|best)_head_")  # Self-Classifier's
# settings that these figures of an evaluation don't depend on
_KMEANS = ("restarts", "seed")
_INDEPENDENT = {
    "euclidean_": ("temperature",),
    "rankme_": _KMEANS,
    "first_head_": _KMEANS,
    "best_head_": _KMEANS,
}
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
        settings: of the evaluation, dotted key to value as text, see
            :func:`.settings.compared_settings`; empty if published.
        evaluation_seed: of the evaluation; None where it has none.
        images: what was found of each validation image, and the figure's name there; only where
            it is known.
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
    settings: dict[str, str]
    evaluation_seed: int | None
    images: NotRequired[tuple[PerImage, str]]


class Measured(NamedTuple):
    """A figure without what the run says of it, see :class:`Figure`."""

    dataset: str
    protocol: str
    metric: str
    value: float
    settings: dict[str, str] = {}
    evaluation_seed: int | None = None
    own: bool = True  # of the run's own data, not of a data set that only has its name
    images: tuple[PerImage, str] | None = None


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
    Where two files have the same figure with the same settings and seed, the newer one counts.

    Args:
        run: the run.
        untrained: the figures of the untrained backbone instead, as method ``untrained``.
        only: names of the ``eval-*.json`` to read; default: all.
        dataset: what the run's own data set is called; default: see :func:`dataset_name`. Figures
            on other data, as CIFAR-100's superclasses, keep their name.

    Raises:
        ConfigError: one of these files can't be read, or the checkpoint's weights aren't finite.
    """
    time = [] if untrained else _training_time(run)
    found = [] if untrained else _online(run)
    checkpoint = None if untrained else run.checkpoint.name
    files = [path for path in evaluation_files(run, only) if is_untrained(path) == untrained]
    newest: dict[tuple[Any, ...], Measured] = {}
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        for one in _evaluated(run, path, checkpoint):
            settings = tuple(sorted(one.settings.items()))
            newest[one.dataset, one.protocol, one.metric, settings, one.evaluation_seed] = one
    found += newest.values()
    found += time
    own = dataset_name(run.cfg.data)
    figures = [
        Figure(
            source="ours",
            dataset=dataset if dataset and one.own and one.dataset == own else one.dataset,
            method=UNTRAINED if untrained else run.cfg.method,
            backbone=run.cfg.backbone.name,
            epochs=0 if untrained else epochs(run),
            protocol=one.protocol,
            metric=one.metric,
            value=one.value,
            seed=run.cfg.get("seed"),
            run=str(run.folder),
            settings=one.settings,
            evaluation_seed=one.evaluation_seed,
        )
        for one in found
    ]
    for figure, one in zip(figures, found, strict=True):
        if one.images:
            figure["images"] = one.images
    return figures


def evaluation_files(run: Run, only: Collection[str] | None = None) -> list[Path]:
    """The files with figures of a run, by name; of those named in ``only``, if given."""
    files = sorted(run.folder.glob("eval-*.json"))
    return [path for path in files if only is None or path.name in only]


def outdated_files(run: Run, only: Collection[str] | None = None) -> list[str]:
    """Names of the files that have figures of another checkpoint than the newest."""
    checkpoints = {path.name: read_json(path)["checkpoint"] for path in evaluation_files(run, only)}
    return [name for name, at in checkpoints.items() if at not in (None, run.checkpoint.name)]


def epochs(run: Run) -> int:
    """Whole epochs that the checkpoint has had; the configuration's, if its name says none."""
    named = stage(run.checkpoint)
    return named.epochs if named else run.cfg.max_epochs


def _training_time(run: Run) -> list[Measured]:
    """Seconds in training, summed over the parts of an interrupted run; solo-learn keeps none."""
    try:
        content = read_checkpoint(run.checkpoint, "RUN")
    except ConfigError:  # reported by whoever needs its weights
        return []
    finite_weights(content["state_dict"], run.checkpoint)
    try:
        seconds = float(content["callbacks"]["Timer"]["time_elapsed"]["train"])
    except (KeyError, TypeError, ValueError):
        return []
    return [Measured(dataset_name(run.cfg.data), "training", "seconds", seconds)]


def _online(run: Run) -> list[Measured]:
    path = run.folder / "metrics.csv"
    if not path.is_file():
        return []
    rows: list[dict[str, str]] = []
    # what follows a damaged field that swallows all of it can't be told apart
    with suppress(csv.Error), path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows.extend(csv.DictReader(line.replace("\0", "") for line in file))
    found = []
    rows = [row for row in rows if _seen(row, epochs(run))]
    for metric, column in _ONLINE.items():
        values = [row[column] for row in rows if _is_number(row, column)]
        if values:
            own = dataset_name(run.cfg.data)
            found.append(Measured(own, "linear-online", metric, float(values[-1])))
    return found


def _seen(row: dict[str, str], number: int) -> bool:
    """Whether a row belongs to the checkpoint's epochs: a killed run may have logged later ones."""
    epoch = row.get("epoch")
    return not epoch or (_is_number(row, "epoch") and float(epoch) < number)


def _is_number(row: dict[str, str], column: str) -> bool:
    """Whether a cell holds a number: a row may be torn, or the file something else."""
    try:
        float(row.get(column) or "")
    except (TypeError, ValueError):
        return False
    return True


def _evaluated(run: Run, path: Path, checkpoint: str | None) -> list[Measured]:
    try:
        content = read_json(path)
        results, settings = content["results"], content["settings"]
        if content["checkpoint"] != checkpoint:
            return []
        name = evaluation_of(path)
        data = settings if "dataset" in settings else {}
        dataset = dataset_name({**run.cfg.data, **data})
        compared = compared_settings(settings, run.cfg.data, run.recorded)
        seed = settings.get("seed")
        if not isinstance(dataset, str) or not isinstance(seed, int | None):
            raise TypeError("data set or seed are none")
        if not isinstance(settings.get("temperature", 1.0), int | float):
            raise TypeError("a temperature is no number")
        images = PerImage.from_json(content["images"]) if "images" in content else None
        found = []
        for key, value in results.items():
            without = next((w for start, w in _INDEPENDENT.items() if key.startswith(start)), ())
            stated = {k: v for k, v in compared.items() if k not in without}
            of = None if "seed" in without else seed
            place = dataset, _protocol(name, key), _metric(key)
            known = (images, key) if images else None
            own = "title" not in settings
            found.append(Measured(*place, float(value), stated, of, own, known))
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
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
