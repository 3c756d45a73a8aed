"""The commands that evaluate a run folder, from ``linear`` to ``finetune``, and their arguments.

Declared here, below the command line, since the grids of ``cueco-solo compare`` name them as typed.
What they do is in :mod:`.evaluate`.
"""

import argparse
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
from cueco_solo.evaluation import evaluate
from cueco_solo.evaluation.evaluate_finetune import run_finetune
from cueco_solo.evaluation.other_data import PathOfDataset, dataset_arguments, each_dataset

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
            help=f"labelled images (default: the run's data.{split}_path)",
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
        "--batch-size", type=positive, default=256, help="of the feature extraction"
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
    parser.add_argument(
        "--config-path",
        metavar="DIR",
        help="folder of your own configurations (default: those of this package)",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="Hydra overrides, e.g. max_epochs=50"
    )


def add_parsers(commands: Any) -> None:
    linear = add_command(
        commands,
        "linear",
        each_dataset(evaluate.run_linear),
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
        each_dataset(evaluate.run_fewshot),
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
        "--draws", type=positive, default=10, metavar="N", help="of images, for each k"
    )
    fewshot.add_argument("--seed", type=seed, default=5, metavar="S", help="of the first draw")

    knn = add_command(
        commands,
        "knn",
        each_dataset(evaluate.run_knn),
        "classify by nearest neighbours in the frozen features",
        f"""Classify validation images by their nearest training images, by cosine and by Euclidean
        distance, with solo-learn's weighted votes. {SHARED} {_OTHER} {_KEPT}""",
        "cueco-solo knn trained_models/cueco/RUN",
        "cueco-solo knn trained_models/cueco/RUN --untrained --k 20",
        "cueco-solo knn trained_models/cueco/RUN --k 1 5 20 100 --temperature 0.05 0.07 0.1",
    )
    run_arguments(knn)
    dataset_arguments(knn)
    feature_arguments(knn)
    knn.add_argument(
        "--k", type=positive, nargs="+", default=[20, 100, 200], help="default: 20 100 200"
    )
    knn.add_argument(
        "--temperature",
        type=above_zero,
        nargs="+",
        default=[0.07],
        metavar="T",
        help="of cosine votes; each has a file of its own",
    )

    cluster = add_command(
        commands,
        "cluster",
        each_dataset(evaluate.run_cluster),
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
        "--restarts", type=positive, default=10, help="K-means starts, the best is followed"
    )
    cluster.add_argument("--seed", type=seed, default=5, help="of the starts")

    finetune = add_command(
        commands,
        "finetune",
        run_finetune,
        "fine-tune the whole backbone on a share of the labels",
        f"""Fine-tune the whole backbone and a linear head on a share of the training images, with
        the same number of each class, give or take one, and score them on the validation images.
        The seed of the configuration (seed=5) names the images, the same on every machine, and a
        smaller share is part of a larger one; they are listed in
        RUN/subsets/<percent>pct-seed<seed>.txt. With --sweep, pairs of learning rates, of the
        backbone and of the classifier, are tried on a fifth of these images, held out by class; the
        best is trained on all of them and then validated. {SHARED}""",
        "cueco-solo finetune trained_models/cueco/RUN --percent 1",
        "cueco-solo finetune trained_models/cueco/RUN --percent 10 --untrained seed=6",
        "cueco-solo finetune trained_models/rcl/RUN --percent 1 --subset imagenet-1percent.txt",
        "cueco-solo finetune trained_models/cueco/RUN --percent 1 --sweep",
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
        help="these images (default: drawn), one name or number a line, e.g. a published list",
    )
    finetune.add_argument(
        "--sweep", action="store_true", help="the best of many pairs of learning rates"
    )
    finetune.add_argument(
        "--choose",
        choices=("held-out", "validation"),
        help="with --sweep: on which images (default: held-out); validation, as often in papers, "
        "gives a figure of "
        "another name (held-out)",
    )
    finetune.add_argument(
        "--learning-rate",
        type=above_zero,
        nargs="+",
        metavar="R",
        help="with --sweep: of the backbone, for 256 images (default: 0.005 0.01 0.02 0.05 0.1)",
    )
    finetune.add_argument(
        "--classifier-rate",
        type=above_zero,
        nargs="+",
        metavar="R",
        help="with --sweep: of the classifier, for 256 images (default: 0.05 0.5 5)",
    )
    config_arguments(finetune, "finetune")
