"""``cueco-solo linear``, ``knn`` and ``cluster``: figures of a run folder."""

import argparse
from typing import Any

from cueco_solo.cli.command import add_command
from cueco_solo.cli.session import (
    SHARED,
    Session,
    above_zero,
    config_arguments,
    feature_arguments,
    positive,
    run_arguments,
    seed,
)

_KEPT = """Features are extracted once and kept in RUN/features, to be read as long as checkpoint,
data and transform are the same; the files may be removed."""


def add_parsers(commands: Any) -> None:
    linear = add_command(
        commands,
        "linear",
        run_linear,
        "train a linear classifier on the frozen backbone",
        f"""Train a linear classifier on the frozen backbone, on augmented images as solo-learn's
        main_linear.py does, or with --cached on features extracted once, in seconds. {SHARED}
        {_KEPT}""",
        "cueco-solo linear trained_models/cueco/RUN --cached",
        "cueco-solo linear trained_models/cueco/RUN --config-name linear-cifar10 max_epochs=50",
    )
    run_arguments(linear)
    feature_arguments(linear)
    linear.add_argument(
        "--cached", action="store_true", help="train on features extracted once, unaugmented"
    )
    config_arguments(linear, "linear")

    knn = add_command(
        commands,
        "knn",
        run_knn,
        "classify by nearest neighbours in the frozen features",
        f"""Classify validation images by their nearest training images, by cosine and by Euclidean
        distance, with solo-learn's weighted votes. {SHARED} {_KEPT}""",
        "cueco-solo knn trained_models/cueco/RUN",
        "cueco-solo knn trained_models/cueco/RUN --untrained --k 20",
    )
    run_arguments(knn)
    feature_arguments(knn)
    knn.add_argument(
        "--k", type=positive, nargs="+", default=[20, 100, 200], help="default: 20 100 200"
    )
    knn.add_argument("--temperature", type=above_zero, default=0.07, help="of cosine votes (0.07)")

    cluster = add_command(
        commands,
        "cluster",
        run_cluster,
        "score K-means on the frozen features against the labels",
        f"""Fit K-means with one cluster per class on the training features and score it on the
        validation features: NMI, AMI, ARI and accuracy under the best matching. Beside them stands
        RankMe, the effective rank of the features of either split. The labels that Self-Classifier
        itself gives are scored, too: those of its first head and of the one of the lowest loss.
        {SHARED} {_KEPT}""",
        "cueco-solo cluster trained_models/cueco/RUN",
    )
    run_arguments(cluster)
    feature_arguments(cluster)
    cluster.add_argument(
        "--restarts", type=positive, default=10, help="K-means starts, the best is followed (10)"
    )
    cluster.add_argument("--seed", type=seed, default=5, help="of the starts (5)")


def run_knn(args: argparse.Namespace) -> None:
    """k-NN accuracies of a run."""
    from cueco_solo.errors import config_error
    from cueco_solo.evaluation.knn import knn_accuracies

    session = Session(args)

    def compute() -> dict[str, float]:
        features = session.features()
        images = len(features.train)
        there = [k for k in args.k if k <= images]
        if not there:
            raise config_error("--k", args.k, f"must be at most the {images} training images")
        for k in (k for k in args.k if k > images):
            print(f"k={k} is left out: there are only {images} training images")
        return knn_accuracies(features, there, args.temperature)

    session.report("knn", {"k": args.k, "temperature": args.temperature}, compute)


def run_cluster(args: argparse.Namespace) -> None:
    """Clustering scores of a run."""
    from cueco_solo.evaluation.cluster import cluster_scores
    from cueco_solo.evaluation.own_labels import own_label_scores
    from cueco_solo.metrics import rank_me

    session, notes = Session(args), {}

    def compute() -> dict[str, float]:
        features = session.features()
        results = cluster_scores(features, args.restarts, args.seed)
        for split in ("train", "test"):
            matrix = getattr(features, split)
            results[f"rankme_{split}"] = float(rank_me(matrix))
            notes[f"rankme_{split}"] = f"dimensions, of {min(matrix.shape)} possible"
        return results if args.untrained else {**results, **own_label_scores(session.run, features)}

    settings = {"restarts": args.restarts, "seed": args.seed}
    session.report("cluster", settings, compute, notes)


def run_linear(args: argparse.Namespace) -> None:
    """Linear accuracies of a run."""
    from cueco_solo.evaluation import linear
    from cueco_solo.evaluation.features import load_backbone

    session = Session(args)
    run = session.run
    cfg = linear.parse_linear(session.compose(f"linear-{session.data.dataset}", "linear-custom"))

    def compute() -> dict[str, float]:
        if args.cached:
            return linear.cached_linear_accuracies(session.features(), cfg)
        backbone = load_backbone(run, args.untrained)
        return linear.linear_accuracies(backbone, cfg, run.cfg.augmentations[0])

    session.report_training("linear-cached" if args.cached else "linear", cfg, compute)
