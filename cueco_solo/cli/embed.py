"""``cueco-solo embed``: features of images of one's own."""

import argparse
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command, count, positive


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "embed",
        run,
        "write features of a folder of images",
        """Write the features that the backbone of a run has for all images in a folder, at any
        depth, with their file names and, where each lies in a folder, the first one's name as its
        label. Images of any size get the size and the normalisation of the run. RUN is a run folder
        of cueco-solo pretrain, any folder with solo-learn's args.json and a checkpoint, or one of
        its checkpoints. Parquet needs pip install 'cueco-solo[parquet]'.""",
        "cueco-solo embed trained_models/cueco/RUN --images photos --out features.npz",
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="the run folder")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="the images")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the features: .npz, .csv or .parquet; replaced if it is there",
    )
    parser.add_argument(
        "--untrained", action="store_true", help="of the backbone as it was before the first step"
    )
    parser.add_argument("--batch-size", type=positive, default=256, help="images at a time")
    parser.add_argument(
        "--num-workers", type=count, default=0, metavar="N", help="processes that read images"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute"
    )


def run(args: argparse.Namespace) -> None:
    """Check the arguments, embed, and say what was written."""
    from cueco_solo.data.checks import check_workers
    from cueco_solo.evaluation.image_folder import (
        check_features_file,
        check_image_folder,
        write_features,
    )
    from cueco_solo.training.log_filters import quieten
    from cueco_solo.training.run_folder import load_run

    quieten()
    load_run(args.folder.parent if args.folder.suffix == ".ckpt" else args.folder)
    check_image_folder(args.images, "--images")
    check_features_file(args.out)
    check_workers(args.num_workers, "--num-workers")
    from cueco_solo.evaluation.embedding import embed_folder

    found = embed_folder(
        args.folder,
        args.images,
        untrained=args.untrained,
        batch_size=args.batch_size,
        device=args.device,
        num_workers=args.num_workers,
    )
    write_features(found, args.out)
    number, size = found.features.shape
    classes = len(set(found.labels))
    labels = f"labels of {classes} folders" if classes else "no labels"
    print(f"{number} images, {size} features each, {labels}: {args.out}")
