"""``cueco-solo linear``, ``knn`` and ``cluster``: figures of a run folder."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cueco_solo.cli.command import add_command

_SHARED = """RUN is a run folder of cueco-solo pretrain, or any folder with solo-learn's args.json
and a checkpoint. Data and image size are those of the run unless other paths are given. The figures
are printed and written to RUN/eval-*.json."""
_KEPT = """Features are extracted once and kept in RUN/features, to be read as long as checkpoint,
data and transform are the same; the files may be removed."""


def add_parsers(commands: Any) -> None:
    linear = add_command(
        commands,
        "linear",
        run_linear,
        "train a linear classifier on the frozen backbone",
        f"""Train a linear classifier on the frozen backbone, on augmented images as solo-learn's
        main_linear.py does, or with --cached on features extracted once, in seconds. {_SHARED}
        {_KEPT}""",
        "cueco-solo linear trained_models/cueco/RUN --cached",
        "cueco-solo linear trained_models/cueco/RUN --config-name linear-cifar10 max_epochs=50",
    )
    _shared_arguments(linear)
    linear.add_argument(
        "--cached", action="store_true", help="train on features extracted once, unaugmented"
    )
    linear.add_argument(
        "--config-name", metavar="NAME", help="default: linear-<data set of the run>"
    )
    linear.add_argument("--config-path", metavar="DIR", help="folder of your own configurations")
    linear.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="Hydra overrides, e.g. max_epochs=50"
    )

    knn = add_command(
        commands,
        "knn",
        run_knn,
        "classify by nearest neighbours in the frozen features",
        f"""Classify validation images by their nearest training images, by cosine and by Euclidean
        distance, with solo-learn's weighted votes. {_SHARED} {_KEPT}""",
        "cueco-solo knn trained_models/cueco/RUN",
        "cueco-solo knn trained_models/cueco/RUN --untrained --k 20",
    )
    _shared_arguments(knn)
    knn.add_argument(
        "--k", type=_positive, nargs="+", default=[20, 100, 200], help="default: 20 100 200"
    )
    knn.add_argument(
        "--temperature", type=_temperature, default=0.07, help="of cosine votes (0.07)"
    )

    cluster = add_command(
        commands,
        "cluster",
        run_cluster,
        "score K-means on the frozen features against the labels",
        f"""Fit K-means with one cluster per class on the training features and score it on the
        validation features: NMI, AMI, ARI and accuracy under the best matching. Beside them stands
        RankMe, the effective rank of the features of either split. {_SHARED} {_KEPT}""",
        "cueco-solo cluster trained_models/cueco/RUN",
    )
    _shared_arguments(cluster)
    cluster.add_argument(
        "--restarts", type=_positive, default=10, help="K-means starts, the best counts (10)"
    )
    cluster.add_argument("--seed", type=_seed, default=5, help="of the starts (5)")


def _number(kind: type, allowed: str, valid: Callable[[Any], bool]) -> Callable[[str], Any]:
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


_positive = _number(int, "an integer of at least 1", lambda value: value >= 1)
_count = _number(int, "an integer of at least 0", lambda value: value >= 0)
_seed = _number(int, "an integer in [0, 2**32 - 1]", lambda value: 0 <= value < 2**32)
_temperature = _number(float, "a number above 0", lambda value: 0 < value < math.inf)


def _shared_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="RUN", help="the run folder")
    parser.add_argument("--train-path", metavar="DIR", help="instead of the run's data.train_path")
    parser.add_argument("--val-path", metavar="DIR", help="instead of the run's data.val_path")
    parser.add_argument(
        "--untrained",
        action="store_true",
        help="the backbone as it was before the first step, to compare with",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--batch-size", type=_positive, default=256, help="of the feature extraction (256)"
    )
    parser.add_argument(
        "--num-workers", type=_count, metavar="N", help="default: the run's data.num_workers"
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="neither read nor keep extracted features"
    )


class _Session:
    """What the three commands have in common: the run, its data, its features."""

    def __init__(self, args: argparse.Namespace) -> None:
        import torch

        from cueco_solo.cli.quiet import quieten
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
        self.settings: dict[str, Any] = {
            key: self.data[key] for key in ("dataset", "train_path", "val_path")
        }

    def features(self) -> Any:
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

    def report(
        self, name: str, results: dict[str, float], settings: dict[str, Any], **notes: str
    ) -> None:
        from cueco_solo.evaluation.figures import write_figures

        settings = {**self.settings, **settings}
        write_figures(self.run, name, results, settings, self.args.untrained, notes)


def run_knn(args: argparse.Namespace) -> None:
    """k-NN accuracies of a run."""
    from cueco_solo.evaluation.knn import knn_accuracies

    session = _Session(args)
    results = knn_accuracies(session.features(), args.k, args.temperature)
    session.report("knn", results, {"k": args.k, "temperature": args.temperature})


def run_cluster(args: argparse.Namespace) -> None:
    """Clustering scores of a run."""
    from cueco_solo.evaluation.cluster import cluster_scores
    from cueco_solo.metrics import rank_me

    session = _Session(args)
    features = session.features()
    results, notes = cluster_scores(features, args.restarts, args.seed), {}
    for split in ("train", "test"):
        matrix = getattr(features, split)
        results[f"rankme_{split}"] = float(rank_me(matrix))
        notes[f"rankme_{split}"] = f"dimensions, of {min(matrix.shape)} possible"
    session.report("cluster", results, {"restarts": args.restarts, "seed": args.seed}, **notes)


def _linear_config(dataset: str, config_path: str | None) -> str:
    from cueco_solo.cli.compose import config_names

    name = f"linear-{dataset}"
    return name if name in config_names(config_path, linear=True) else "linear-custom"


def run_linear(args: argparse.Namespace) -> None:
    """Linear accuracies of a run."""
    from omegaconf import OmegaConf

    from cueco_solo.cli.compose import compose_config
    from cueco_solo.evaluation import linear
    from cueco_solo.evaluation.features import load_backbone

    session = _Session(args)
    data, run = session.data, session.run
    keys = (*session.settings, "num_workers", "format")
    overrides = list(args.overrides)
    if session.device == "cpu" and not any(word.startswith("hardware=") for word in overrides):
        overrides.insert(0, "hardware=cpu")
    cfg = compose_config(
        args.config_name or _linear_config(data.dataset, args.config_path),
        args.config_path,
        overrides,
        linear=True,
        values={"devices": 1, **{f"data.{key}": data[key] for key in keys}},
    )
    parsed = linear.parse_linear(cfg)
    if args.cached:
        results = linear.cached_linear_accuracies(session.features(), parsed)
    else:
        backbone = load_backbone(run, args.untrained)
        results = linear.linear_accuracies(backbone, parsed, run.cfg.augmentations[0])
    stated = ("max_epochs", "optimizer", "scheduler", "seed")
    settings = {key: parsed[key] for key in stated}
    plain = OmegaConf.to_container(OmegaConf.create(settings))
    session.report("linear-cached" if args.cached else "linear", results, dict(plain))  # type: ignore
