"""The commands that evaluate a run folder, from ``linear`` to ``finetune``.

Declared here, below the command line, since the grids of ``cueco-solo compare`` name them as typed.
Modules that import torch are imported once names, paths and settings are checked.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from cueco_solo.arguments import (
    above_zero,
    add_command,
    count,
    not_negative,
    percentage,
    positive,
    seed,
)
from cueco_solo.evaluation.other_data import PathOfDataset, dataset_arguments, each_dataset

_SHOTS = (1, 2, 5, 10, 20)
SHARED = """RUN is a run folder of cueco-solo pretrain, or any folder with solo-learn's args.json
and a checkpoint. Data and image size are those of the run unless other paths are given. The figures
are printed and written to RUN/eval-*.json."""
_OTHER = """With --dataset the data are others than the run's: image folders of any classes, or
what torchvision reads. Images get the size and the normalisation of the run. Where a data set
is usually scored by the mean of the classes' accuracies, the figure is mean_per_class."""
_KEPT = """Features are extracted once and kept in RUN/features, to be read as long as checkpoint,
data and transform are the same; the files may be removed."""


def data_arguments(parser: argparse.ArgumentParser) -> None:
    """Which data, where to compute."""
    for split in ("train", "val"):
        parser.add_argument(
            f"--{split}-path",
            metavar="DIR",
            action=PathOfDataset,
            help=f"instead of the run's data.{split}_path",
        )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto"
    )


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, which data, where to compute."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="the run folder")
    data_arguments(parser)
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
        "--config-name",
        metavar="NAME",
        help=f"default: {name}-<data set of the run>, of its method where there is one",
    )
    parser.add_argument("--config-path", metavar="DIR", help="folder of your own configurations")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="Hydra overrides, e.g. max_epochs=50"
    )


def add_parsers(commands: Any) -> None:
    linear = add_command(
        commands,
        "linear",
        each_dataset(run_linear),
        "train a linear classifier on the frozen backbone",
        f"""Train a linear classifier on the frozen backbone, on augmented images as solo-learn's
        main_linear.py does, or with --cached on features extracted once, in seconds. With --sweep
        13 learning rates are trained together on such features, scaled alike for all methods; the
        best on a tenth of the training images, held out by class, is trained on all of them and
        then validated. {SHARED} {_OTHER} {_KEPT}""",
        "cueco-solo linear trained_models/cueco/RUN --cached",
        "cueco-solo linear trained_models/cueco/RUN --config-name linear-cifar10 max_epochs=50",
        "cueco-solo linear trained_models/cueco/RUN --sweep --weight-decay 0 1e-6 1e-4",
        "cueco-solo linear trained_models/cueco/RUN --cached --dataset flowers102 --dataset dtd",
    )
    run_arguments(linear)
    dataset_arguments(linear)
    feature_arguments(linear)
    linear.add_argument(
        "--cached", action="store_true", help="train on features extracted once, unaugmented"
    )
    linear.add_argument(
        "--sweep", action="store_true", help="the best of many learning rates on cached features"
    )
    linear.add_argument(
        "--weight-decay",
        type=not_negative,
        nargs="+",
        metavar="W",
        help="with --sweep: try each with every rate; default: optimizer.weight_decay",
    )
    config_arguments(linear, "linear")

    fewshot = add_command(
        commands,
        "fewshot",
        each_dataset(run_fewshot),
        "classify from a few labels of each class",
        f"""Train a logistic regression on the frozen features of k training images of each class,
        drawn several times, and score it on all validation images: the mean over the draws and the
        half-width of its 95 % interval. The draws have the seeds S, S + 1, ..., the same for every
        method, and a smaller k takes part of the images of a larger one. {SHARED} {_OTHER}
        {_KEPT}""",
        "cueco-solo fewshot trained_models/cueco/RUN",
        "cueco-solo fewshot trained_models/cueco/RUN --k 1 5 --draws 20",
    )
    run_arguments(fewshot)
    dataset_arguments(fewshot)
    feature_arguments(fewshot)
    fewshot.add_argument(
        "--k",
        type=positive,
        nargs="+",
        help="default: 1 2 5 10 20, as far as the smallest class has so many",
    )
    fewshot.add_argument(
        "--draws", type=positive, default=10, metavar="N", help="of images, for each k (10)"
    )
    fewshot.add_argument("--seed", type=seed, default=5, metavar="S", help="of the first draw (5)")

    knn = add_command(
        commands,
        "knn",
        each_dataset(run_knn),
        "classify by nearest neighbours in the frozen features",
        f"""Classify validation images by their nearest training images, by cosine and by Euclidean
        distance, with solo-learn's weighted votes. {SHARED} {_OTHER} {_KEPT}""",
        "cueco-solo knn trained_models/cueco/RUN",
        "cueco-solo knn trained_models/cueco/RUN --untrained --k 20",
    )
    run_arguments(knn)
    dataset_arguments(knn)
    feature_arguments(knn)
    knn.add_argument(
        "--k", type=positive, nargs="+", default=[20, 100, 200], help="default: 20 100 200"
    )
    knn.add_argument("--temperature", type=above_zero, default=0.07, help="of cosine votes (0.07)")

    cluster = add_command(
        commands,
        "cluster",
        each_dataset(run_cluster),
        "score K-means on the frozen features against the labels",
        f"""Fit K-means with one cluster per class on the training features and score it on the
        validation features: NMI, AMI, ARI and accuracy under the best matching. Beside them stands
        RankMe, the effective rank of the features of either split. The labels that Self-Classifier
        itself gives are scored, too: those of its first head and of the one of the lowest loss.
        {SHARED} {_OTHER} {_KEPT}""",
        "cueco-solo cluster trained_models/cueco/RUN",
    )
    run_arguments(cluster)
    dataset_arguments(cluster)
    feature_arguments(cluster)
    cluster.add_argument(
        "--restarts", type=positive, default=10, help="K-means starts, the best is followed (10)"
    )
    cluster.add_argument("--seed", type=seed, default=5, help="of the starts (5)")

    finetune = add_command(
        commands,
        "finetune",
        run_finetune,
        "fine-tune the whole backbone on a share of the labels",
        f"""Fine-tune the whole backbone and a linear head on a share of the training images, with
        the same number of each class, give or take one, and score them on the validation images.
        The seed of the configuration (seed=5) names the images, the same on every machine, and a
        smaller share is part of a larger one; they are listed in
        RUN/subsets/<percent>pct-seed<seed>.txt. {SHARED}""",
        "cueco-solo finetune trained_models/cueco/RUN --percent 1",
        "cueco-solo finetune trained_models/cueco/RUN --percent 10 --untrained seed=6",
        "cueco-solo finetune trained_models/rcl/RUN --percent 1 --subset imagenet-1percent.txt",
    )
    run_arguments(finetune)
    finetune.add_argument(
        "--percent",
        type=percentage,
        required=True,
        metavar="P",
        help="share of the training images, in (0, 100]; the field's are 1 and 10",
    )
    finetune.add_argument(
        "--subset",
        type=Path,
        metavar="FILE",
        help="these images instead, one name or number a line, e.g. a published list",
    )
    config_arguments(finetune, "finetune")


def run_knn(args: argparse.Namespace) -> None:
    """k-NN accuracies of a run."""
    from cueco_solo.errors import config_error
    from cueco_solo.evaluation.run_evaluation import RunEvaluation

    evaluation = RunEvaluation(args)

    def compute() -> dict[str, float]:
        from cueco_solo.evaluation.knn import knn_accuracies

        features = evaluation.features()
        images = len(features.train)
        there = [k for k in args.k if k <= images]
        if not there:
            raise config_error("--k", args.k, f"must be at most the {images} training images")
        for k in (k for k in args.k if k > images):
            print(f"k={k} is left out: there are only {images} training images")
        return knn_accuracies(features, there, args.temperature, evaluation.per_class)

    evaluation.report("knn", {"k": args.k, "temperature": args.temperature}, compute)


def run_cluster(args: argparse.Namespace) -> None:
    """Clustering scores of a run."""
    from cueco_solo.evaluation.run_evaluation import RunEvaluation

    evaluation, notes = RunEvaluation(args), {}

    def compute() -> dict[str, float]:
        from cueco_solo.evaluation.cluster import cluster_scores
        from cueco_solo.evaluation.own_labels import own_label_scores
        from cueco_solo.numerics import rank_me

        features = evaluation.features()
        results = cluster_scores(features, args.restarts, args.seed)
        for split in ("train", "test"):
            matrix = getattr(features, split)
            results[f"rankme_{split}"] = float(rank_me(matrix))
            notes[f"rankme_{split}"] = f"dimensions, of {min(matrix.shape)} possible"
        own = {} if args.untrained else own_label_scores(evaluation.run, features)
        return {**results, **own}

    settings = {"restarts": args.restarts, "seed": args.seed}
    evaluation.report("cluster", settings, compute, notes)


# whose evaluation of frozen features a configuration of ours is
_PAPERS = {
    **dict.fromkeys(("linear-cifar10", "linear-cifar100", "linear-imagenet100"), "CueCo"),
    "linear-imagenet": "RCL",
    "linear-imagenet-self_classifier": "Self-Classifier",
}


def protocol(cfg: Any, swept: bool = False) -> str:
    """One line on a parsed configuration of a linear probe: its name, its paper, what it does."""
    optimizer = cfg.optimizer
    rate = "s swept" if swept else f" {optimizer.lr:g}"
    paper = _PAPERS.get(cfg.name.removesuffix("-dali"))
    return (
        f"protocol: {cfg.name}{f', of the {paper} paper' if paper else ''}: {optimizer.name}, "
        f"batch {optimizer.batch_size}, learning rate{rate}, weight decay "
        f"{optimizer.weight_decay:g}, {cfg.max_epochs} epochs"
    )


def run_linear(args: argparse.Namespace) -> None:
    """Linear accuracies of a run."""
    from cueco_solo.errors import config_error

    if args.sweep:
        return run_sweep(args)
    if args.weight_decay is not None:
        remedy = "add --sweep, or set optimizer.weight_decay=W"
        raise config_error("--weight-decay", args.weight_decay, "goes with --sweep", remedy)
    from cueco_solo.evaluation.run_evaluation import RunEvaluation

    evaluation = RunEvaluation(args)
    run = evaluation.run
    if args.other and not args.cached:
        raise config_error(
            "--dataset", args.other, "is probed on cached features", "add --cached or --sweep"
        )
    name = f"linear-{evaluation.data.dataset}"
    composed = evaluation.compose(f"{name}-{run.cfg.method}", name, "linear-custom")
    from cueco_solo.evaluation import linear
    from cueco_solo.evaluation.features import load_backbone

    cfg = linear.parse_linear(composed)
    print(protocol(cfg), file=sys.stderr)  # seen in comparisons, too, which show no figures yet

    def compute() -> dict[str, float]:
        if args.cached:
            features = evaluation.features()
            return linear.cached_linear_accuracies(features, cfg, evaluation.per_class)
        backbone = load_backbone(run, args.untrained)
        return linear.linear_accuracies(backbone, cfg, run.cfg.augmentations[0])

    evaluation.report_training("linear-cached" if args.cached else "linear", cfg, compute)


def run_sweep(args: argparse.Namespace) -> None:
    """Linear accuracies of a run at the learning rate that suits it best."""
    from cueco_solo.evaluation.checks import check_sweep, check_sweep_overrides
    from cueco_solo.evaluation.run_evaluation import RunEvaluation

    check_sweep_overrides(args.overrides, args.weight_decay is not None)
    evaluation = RunEvaluation(args)
    composed = evaluation.compose(f"linear-{evaluation.data.dataset}", "linear-custom")
    check_sweep(composed)
    from dataclasses import asdict

    from cueco_solo.evaluation.linear import parse_linear
    from cueco_solo.evaluation.linear_sweep import HELD_OUT, PLACES, rate_at, swept_linear

    cfg, notes, details = parse_linear(composed), {}, {}
    print(protocol(cfg, swept=True), file=sys.stderr)
    decays = sorted(
        {cfg.optimizer.weight_decay} if args.weight_decay is None else {*args.weight_decay}
    )
    stated = cfg.copy()
    stated.optimizer = {key: cfg.optimizer[key] for key in ("name", "batch_size", "kwargs")}

    def compute() -> dict[str, float]:
        results, choice = swept_linear(evaluation.features(), cfg, decays, evaluation.per_class)
        notes[next(iter(results))], details["sweep"] = f"at {choice}", asdict(choice)
        return results

    low, high = rate_at(PLACES[0]), rate_at(PLACES[-1])
    grid = {
        "rates": f"{len(PLACES)} from {low:g} to {high:g}",
        "weight_decays": decays,
        "held_out_percent": HELD_OUT,
    }
    evaluation.report_training("linear-sweep", stated, compute, notes, details, **grid)


def run_fewshot(args: argparse.Namespace) -> None:
    """Accuracies of a run from a few labels."""
    from cueco_solo.evaluation.run_evaluation import RunEvaluation

    evaluation, notes = RunEvaluation(args), {}
    draws: dict[str, dict[int, float]] = {}
    asked = sorted(set(args.k or _SHOTS))
    seeds = range(args.seed, args.seed + args.draws)

    def compute() -> dict[str, float]:
        from cueco_solo.evaluation import few_shot
        from cueco_solo.evaluation.accuracy import PER_CLASS

        features = evaluation.features()
        if args.k:
            few_shot.check_shots(features.train_labels, asked)
        ks = few_shot.possible_shots(features.train_labels, asked)
        for k in (k for k in asked if k not in ks):
            print(f"k={k} is left out: a class has too few training images")
        results = {}
        found = few_shot.few_shot_accuracies(features, ks, seeds, evaluation.per_class)
        for k, shots in found.items():
            name = f"{k}-shot-{PER_CLASS}" if evaluation.per_class else f"{k}-shot"
            results[name] = shots.mean
            if shots.half_width is not None:
                results[f"{name}-interval"] = shots.half_width
                notes[f"{name}-interval"] = f"to either side: 95 % interval of {args.draws} draws"
            draws[name] = dict(zip(seeds, shots.draws, strict=True))
        return results

    settings = {"k": asked, "draws": args.draws, "seed": args.seed}
    evaluation.report("fewshot", settings, compute, notes, {"draws": draws})


def _subset(args: argparse.Namespace, train: Any, seed: int) -> tuple[list[int], Path]:
    """The images to learn from, and the file that lists them."""
    from cueco_solo.evaluation import subsets

    if args.subset:
        return subsets.read_subset(args.subset, train, args.percent), args.subset
    chosen = subsets.balanced_subset(subsets.labels_of(train), args.percent, seed)
    path = args.folder / "subsets" / f"{args.percent:g}pct-seed{seed}.txt"
    subsets.write_subset(path, train, chosen)
    return chosen, path


def run_finetune(args: argparse.Namespace) -> None:
    """Semi-supervised accuracies of a run."""
    from cueco_solo.evaluation.run_evaluation import RunEvaluation
    from cueco_solo.evaluation.subsets import read_names

    evaluation = RunEvaluation(args)
    if args.subset:
        read_names(args.subset)
    name, dataset = f"finetune-{args.percent:g}pct", evaluation.data.dataset
    cfg = evaluation.compose(
        f"finetune-{dataset}-{args.percent:g}pct",
        f"finetune-{dataset}",
        "finetune-custom",
        finetune=True,
    )
    from cueco_solo.evaluation.features import load_backbone
    from cueco_solo.evaluation.finetune import finetune_accuracies, finetune_data, parse_finetune

    train, val = finetune_data(evaluation.data, evaluation.run.cfg.augmentations[0])
    seed = 5 if cfg.get("seed") is None else cfg.seed
    chosen, path = _subset(args, train, seed)
    parsed = parse_finetune(cfg, len(chosen))

    def compute() -> dict[str, float]:
        if len(chosen) < cfg.optimizer.batch_size:
            print(f"batches of all {len(chosen)} images: there are no {cfg.optimizer.batch_size}")
        backbone = load_backbone(evaluation.run, args.untrained)
        return finetune_accuracies(backbone, parsed, train, val, chosen)

    stated = {"percent": args.percent, "images": len(chosen), "subset": str(path)}
    evaluation.report_training(name, parsed, compute, **stated)
