"""``args.json`` as solo-learn wrote it up to 1.0.5: flat, with argparse's names."""

from collections.abc import Mapping
from typing import Any

# not in the file: main_pretrain.py of those versions set it before anything else
_SEED = 5


def is_flat(args: Mapping[str, Any]) -> bool:
    """Whether it is the flat form, in which ``encoder``, later ``backbone``, is a name."""
    return isinstance(args.get("backbone", args.get("encoder")), str)


def lift_args(args: Mapping[str, Any]) -> dict[str, Any]:
    """What of it decides the features, under main's names.

    That is enough to rebuild the backbone, not to train: there is no ``method_kwargs``. Up to 1.0.5
    the paths of the data were written as ``<not serializable>``: they are None here.

    Raises:
        KeyError: what every such file has is missing.
    """
    size = args["crop_size"] if "crop_size" in args else args["size"]
    kwargs = {k: v for k, v in args.get("backbone_args", {}).items() if k != "cifar"}
    view = {"crop_size": size[0] if isinstance(size, list) else size, "num_crops": 2}
    if args["dataset"] == "custom":
        view.update({key: args[key] for key in ("mean", "std") if args.get(key)})
    return {
        "name": args.get("name") or args["method"],
        "method": args["method"],
        "seed": _SEED,
        "backbone": {"name": args.get("backbone", args.get("encoder")), "kwargs": kwargs},
        "data": {
            "dataset": args["dataset"],
            "train_path": None,
            "val_path": None,
            "format": "dali" if args.get("dali") else "image_folder",
            "num_workers": args.get("num_workers", 4),
            "no_labels": args.get("no_labels", False),
            "num_classes": args["num_classes"],
            "num_large_crops": 2,
            "num_small_crops": 0,
        },
        "augmentations": [view],
        "max_epochs": args.get("max_epochs", 1),
        # of no consequence, but a solo-learn model isn't built without
        "optimizer": {
            "name": "sgd",
            "batch_size": args.get("batch_size", 1),
            "lr": 0.0,
            "weight_decay": 0.0,
            "classifier_lr": 0.0,
        },
        "scheduler": {"name": "none"},
    }
