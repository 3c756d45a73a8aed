"""``cueco-solo export``: the backbone of a run for other programs."""

import argparse
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command

_FORMATS = ("torchvision", "timm", "safetensors", "onnx")


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "export",
        run,
        "write the backbone for torchvision, timm, safetensors or ONNX",
        """Write the backbone of a run, without its heads, as files that load without this package,
        and a model card that says what it was trained on, how, and with which figures. Every file
        is read again and its features are compared with the run's. RUN is a run folder of
        cueco-solo pretrain, or any folder with solo-learn's args.json and a checkpoint; the newest
        one counts. ONNX needs pip install 'cueco-solo[onnx]'.""",
        "cueco-solo export trained_models/cueco/RUN",
        "cueco-solo export trained_models/cueco/RUN --format safetensors onnx --out exported",
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="the run folder")
    parser.add_argument(
        "--format",
        nargs="+",
        choices=_FORMATS,
        metavar="FORMAT",
        help=f"any of {', '.join(_FORMATS)}; default: all that this backbone can be had in",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="a new or empty folder (default: RUN/export)"
    )


def run(args: argparse.Namespace) -> None:
    """Export and say what was written."""
    from cueco_solo.export.folder import check_folder
    from cueco_solo.training.log_filters import quieten
    from cueco_solo.training.run_folder import load_run

    quieten()
    out = args.out or args.folder / "export"
    found = load_run(args.folder)
    check_folder(out)
    from cueco_solo.export.formats import OPSET
    from cueco_solo.export.subject import load_subject
    from cueco_solo.export.write import CARD, export_backbone, possible_formats

    subject = load_subject(found)
    possible, left_out = possible_formats(subject)
    written = export_backbone(subject, args.format or possible, out)
    cfg = found.cfg
    print(f"{cfg.backbone.name} of {cfg.name} ({found.checkpoint.name}), exported to {out}")
    for format, file in written.items():
        size = file.path.stat().st_size / 1e6
        note = f", opset {OPSET}" if format == "onnx" else ""
        much = f"{file.difference:.1e} at most, of up to {file.scale:.3g}"
        same = f"features differ by {much}" if file.difference else "the same features"
        print(f"  {file.path.name:18}{size:7.1f} MB  {same}{note}")
    print(f"  {CARD:18}model card: add a licence before you publish it")
    if subject.network.stem:
        print(
            "the stem is solo-learn's for CIFAR (3x3 conv1 of padding 2, no max-pooling): "
            f"{out / CARD} shows how to build the network for it"
        )
    for reason in left_out if args.format is None else ():
        print(f"left out: {reason}")
