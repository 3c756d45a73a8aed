"""``cueco-solo report``: runs side by side in one HTML file."""

import argparse
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command, positive, seed
from cueco_solo.evaluation.commands import data_arguments


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "report",
        run,
        "show runs side by side in one HTML file",
        """Write one HTML file that needs nothing but itself: figures, training curves, test
        features in two dimensions with their pictures, clusters, for RCL a few images with their
        companions, the differences in configuration, and how to make each run again. Figures are
        those that linear, knn, cluster and finetune wrote before. RUNS are run folders of
        cueco-solo pretrain or of solo-learn, or folders of such. Features are read from
        RUN/features where they were kept, else extracted and kept there.""",
        "cueco-solo report trained_models/cueco/RUN trained_models/mocov2plus/RUN",
        "cueco-solo report trained_models --baseline 'MoCo V2+' --out comparison.html",
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="RUNS", help="the run folders")
    parser.add_argument(
        "--out", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html"
    )
    parser.add_argument("--title", default="Runs side by side", help="of the page")
    parser.add_argument(
        "--baseline",
        metavar="METHOD",
        help="show the other methods' paired differences to it (default: no differences)",
    )
    parser.add_argument(
        "--embedding",
        choices=("tsne", "umap", "none"),
        default="tsne",
        help="of the features, in two dimensions; umap needs umap-learn",
    )
    parser.add_argument(
        "--images", type=positive, default=1000, help="test images in the embedding"
    )
    parser.add_argument("--seed", type=seed, default=5, help="of every random choice")
    parser.add_argument(
        "--no-published", action="store_true", help="leave published figures out of it"
    )
    data_arguments(parser)
    parser.add_argument(
        "--no-cache", action="store_true", help="neither read nor keep extracted features"
    )


def run(args: argparse.Namespace) -> None:
    """Read the runs, tabulate, draw, write."""
    from cueco_solo.report.write import check_file, write_report
    from cueco_solo.results.published import published_figures
    from cueco_solo.results.runs import describe, read_figures
    from cueco_solo.results.table import make_table
    from cueco_solo.results.titles import check_baseline
    from cueco_solo.training.hardware import torch_device
    from cueco_solo.training.log_filters import quieten
    from cueco_solo.training.run_folder import open_runs

    runs = open_runs(args.folders)
    described = describe(runs)
    baseline = check_baseline(args.baseline, [run.series for run in described])
    check_file(args.out)
    quieten()
    device = torch_device(args.device)
    read_figures(described, runs)
    published = [] if args.no_published else published_figures()
    write_report(
        runs,
        described,
        make_table(described, baseline, published=published),
        args.out,
        title=args.title,
        embedding=args.embedding,
        images=args.images,
        seed=args.seed,
        device=device,
        cache=not args.no_cache,
        train_path=args.train_path,
        val_path=args.val_path,
    )
