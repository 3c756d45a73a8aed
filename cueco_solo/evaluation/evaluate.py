"""What the commands of :mod:`.commands` do: from checked arguments to the figures of a run folder.

Modules that import torch are imported once names, paths and settings are checked.
"""

import argparse
import sys
from functools import cache, partial
from typing import Any

_SHOTS = (1, 2, 5, 10, 20)


def run_knn(args: argparse.Namespace) -> None:
    """k-NN accuracies of a run: an entry for each temperature, all from one computation."""
    from cueco_solo.errors import config_error
    from cueco_solo.evaluation.per_image import PerImage
    from cueco_solo.evaluation.run_evaluation import RunEvaluation

    evaluation, temperatures = RunEvaluation(args), sorted(set(args.temperature))
    images = {temperature: PerImage() for temperature in temperatures}

    @cache
    def sweep() -> dict[float, dict[str, float]]:
        from cueco_solo.evaluation.knn import knn_sweep

        features = evaluation.features()
        number = len(features.train)
        there = [k for k in args.k if k <= number]
        if not there:
            raise config_error("--k", args.k, f"must be at most the {number} training images")
        for k in (k for k in args.k if k > number):
            print(f"k={k} is left out: there are only {number} training images")
        return knn_sweep(features, there, temperatures, evaluation.per_class, images)

    def compute(temperature: float) -> dict[str, float]:
        found = sweep()[temperature]
        images[temperature].of, evaluation.images = evaluation.images.of, images[temperature]
        return found

    for temperature in temperatures:
        settings = {"k": args.k, "temperature": temperature}
        evaluation.report("knn", settings, partial(compute, temperature))


def run_cluster(args: argparse.Namespace) -> None:
    """Clustering scores of a run."""
    from cueco_solo.evaluation.run_evaluation import RunEvaluation

    evaluation, notes = RunEvaluation(args), {}

    def compute() -> dict[str, float]:
        from cueco_solo.evaluation.cluster import cluster_scores
        from cueco_solo.evaluation.own_labels import own_label_scores
        from cueco_solo.numerics import rank_me

        features = evaluation.features()
        results = cluster_scores(features, args.restarts, args.seed, evaluation.images)
        for split in ("train", "test"):
            matrix = getattr(features, split)
            results[f"rankme_{split}"] = float(rank_me(matrix))
            notes[f"rankme_{split}"] = f"dimensions, of {min(matrix.shape)} possible"
        own = (
            {} if args.untrained else own_label_scores(evaluation.run, features, evaluation.images)
        )
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
            return linear.cached_linear_accuracies(
                features, cfg, evaluation.per_class, evaluation.images
            )
        backbone = load_backbone(run, args.untrained)
        return linear.linear_accuracies(backbone, cfg, run.cfg.augmentations[0], evaluation.images)

    name = "linear-cached" if args.cached else "linear"
    evaluation.report_training(name, cfg, compute)


def run_sweep(args: argparse.Namespace) -> None:
    """Linear accuracies of a run at the learning rate that suits it best."""
    from cueco_solo.evaluation.checks import check_sweep, check_sweep_overrides
    from cueco_solo.evaluation.run_evaluation import RunEvaluation

    check_sweep_overrides(args.overrides, args.weight_decay is not None)
    evaluation = RunEvaluation(args)
    composed = evaluation.compose(f"linear-{evaluation.data.dataset}", "linear-custom")
    check_sweep(composed)
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
        features, per_class = evaluation.features(), evaluation.per_class
        results, choice = swept_linear(features, cfg, decays, per_class, evaluation.images)
        notes[next(iter(results))], details["sweep"] = f"at {choice}", choice.stated()
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
            evaluation.images.add_hits(name, shots.hits, features.test_labels)
            if shots.half_width is not None:
                results[f"{name}-interval"] = shots.half_width
                notes[f"{name}-interval"] = f"to either side: 95 % interval of {args.draws} draws"
            draws[name] = dict(zip(seeds, shots.draws, strict=True))
        return results

    settings = {"k": asked, "draws": args.draws, "seed": args.seed}
    evaluation.report("fewshot", settings, compute, notes, {"draws": draws})
