"""The model card of an export: what a run folder's files say, and how to load what was written."""

import html
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from cueco_solo.errors import config_error
from cueco_solo.export.formats import FORMATS, OPSET, Written
from cueco_solo.export.networks import Network
from cueco_solo.export.subject import Subject
from cueco_solo.files import read_json
from cueco_solo.results.figures import Figure, dataset_name, run_figures
from cueco_solo.training.run_folder import Run

_STEM = (
    "The stem is solo-learn's for CIFAR: a {size}x{size} `conv1` of stride {stride} and padding "
    "{padding}, and no max-pooling. The code below makes both changes. With another padding, or "
    "with the max-pooling, the weights load as well, but the features are others."
)


def model_card(subject: Subject, written: dict[str, Written]) -> str:
    """The card as Markdown with the front matter of Hugging Face's hub.

    Raises:
        ConfigError: a file of the run folder can't be read.
    """
    parts = [
        _front_matter(subject),
        f"# {_text(subject.run.cfg.backbone.name)} trained with {_text(subject.run.cfg.method)}",
        "A backbone without its head: images in, features out. Written by `cueco-solo export` from "
        "the files of a run folder; every statement names its file. No licence is chosen here.",
        "## Training",
        _table(("", "", "from"), _training(subject)),
        "## Figures",
        *_figures(subject.run),
        "## Use",
        *_use(subject, written),
        "## Files",
        "Each was read again after writing, and its features of five images of noise, one by one "
        "and together, compared with those of the run's own backbone.",
        _table(("file", "largest difference", "of features up to"), _files(written)),
        "## Reproduction",
        *_reproduction(subject.run.folder),
    ]
    return "\n\n".join(parts) + "\n"


def _text(value: Any) -> str:
    """A value as Markdown that shows it, whatever is in it."""
    plain = html.escape(" ".join(str(value).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", plain)


def _code(lines: Iterable[str], language: str = "") -> str:
    text = "\n".join(lines)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _front_matter(subject: Subject) -> str:
    cfg = subject.run.cfg
    tags = ["self-supervised-learning", "solo-learn", cfg.method, cfg.backbone.name]
    return "\n".join(
        [
            "---",
            "# license: yours to choose, with the training data's in mind",
            "pipeline_tag: image-feature-extraction",
            "tags:",
            *(f"- {json.dumps(str(tag))}" for tag in tags),
            "---",
        ]
    )


def _training(subject: Subject) -> list[tuple[str, str, str]]:
    cfg, pre = subject.run.cfg, subject.preprocessing
    epochs = "an unknown number" if subject.epochs is None else subject.epochs
    planned = _text(cfg.get("max_epochs") or "an unknown number")
    arguments = cfg.backbone.get("kwargs")
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (pre.mean, pre.std))
    normalised = f"mean {mean}; standard deviation {std}"
    rows = [
        ("run", _text(cfg.name), "args.json: name"),
        ("method", _text(cfg.method), "args.json: method"),
        ("data set", _text(dataset_name(cfg.data)), "args.json: data"),
        (
            "training images",
            _text(cfg.data.get("train_path") or "not recorded"),
            "args.json: data.train\\_path",
        ),
        ("epochs trained", f"{epochs} of {planned}", "checkpoint; args.json"),
        ("seed", _text(cfg.seed), "args.json: seed"),
        ("backbone", _text(cfg.backbone.name), "args.json: backbone.name"),
        ("its arguments", _text(arguments or "none"), "args.json: backbone.kwargs"),
        ("stem", "CIFAR: 3x3, no max-pooling", "checkpoint; args.json: data.dataset"),
        ("dimensions", str(subject.features(subject.images[:1]).shape[1]), "checkpoint"),
        ("image size", f"{pre.size} x {pre.size}", "args.json: augmentations"),
        ("normalisation", normalised, "args.json: augmentations, data.dataset"),
        ("checkpoint", _text(subject.run.checkpoint.name), "run folder"),
        ("its SHA-256", subject.checksum, "checkpoint"),
    ]
    return [row for row in rows if row[0] != "stem" or subject.network.stem]


def _figures(run: Run) -> list[str]:
    trained, untrained = run_figures(run), run_figures(run, untrained=True)
    if not trained + untrained:
        return ["The run folder holds none."]
    columns = {"this backbone": trained, "untrained": untrained}
    values = [{_key(figure): figure["value"] for figure in each} for each in columns.values()]
    rows = [
        [*map(_text, key), *(f"{column[key]:.2f}" if key in column else "" for column in values)]
        for key in dict.fromkeys(key for column in values for key in column)
    ]
    return [
        "In percent; RankMe in dimensions, training time in seconds. `linear-online` is the last "
        "value in `metrics.csv`, `training` stands in the checkpoint, the others are those of this "
        "checkpoint in `eval-*.json`, which also record how they were made. An empty field was not "
        "measured.",
        _table(("evaluated on", "protocol", "metric", *columns), rows),
    ]


def _key(figure: Figure) -> tuple[str, str, str]:
    return figure["dataset"], figure["protocol"], figure["metric"]


def _use(subject: Subject, written: dict[str, Written]) -> list[str]:
    pre = subject.preprocessing
    parts = [
        f"Images are float32 `[N, 3, {pre.size}, {pre.size}]`: RGB in [0, 1], minus the mean, "
        "divided by the deviation."
    ]
    if stem := subject.network.stem:
        parts.append(_STEM.format(size=stem["kernel_size"], **stem))
    for format, file in written.items():
        if format == "onnx":
            parts += [
                f"ONNX, opset {OPSET}, any batch size, this image size only:",
                _code(_onnx(subject), "python"),
            ]
            continue
        network = subject.networks.get(format, subject.network)
        load = f'torch.load("{file.path.name}", weights_only=True)'
        extra = []
        if format == "safetensors":
            load = f'safetensors.torch.load_file("{file.path.name}")'
            extra = ["import safetensors.torch"]
        parts += [f"{format}:", _code([*extra, *_loading(network, load, pre.size)], "python")]
    if "torchvision" in subject.networks:
        parts.append(
            "To fine-tune torchvision's network, leave its `fc` in place and load with "
            "`strict=False`: `fc.weight` and `fc.bias` are then all that is missing."
        )
    return parts


def _loading(network: Network, load: str, size: int) -> list[str]:
    return [
        *network.code(),
        f"model.load_state_dict({load})",
        "model.eval()",
        f"features = model(torch.zeros(1, 3, {size}, {size}))",
    ]


def _onnx(subject: Subject) -> list[str]:
    size = subject.preprocessing.size
    return [
        "import numpy, onnxruntime",
        f'session = onnxruntime.InferenceSession("{FORMATS["onnx"].file}")',
        f'images = numpy.zeros((1, 3, {size}, {size}), "float32")',
        '(features,) = session.run(None, {"images": images})',
    ]


def _files(written: dict[str, Written]) -> list[tuple[str, str, str]]:
    return [
        (
            f"`{file.path.name}`",
            f"{file.difference:.1e}" if file.difference else "none",
            f"{file.scale:.3g}",
        )
        for file in written.values()
    ]


def _reproduction(folder: Path) -> list[str]:
    path = folder / "environment.json"
    if not path.is_file():
        return ["The run folder has no `environment.json`: command and versions weren't recorded."]
    try:
        content = read_json(path)
        program, *words = content["command"]
        versions = {
            library: version if isinstance(version, dict) else {"version": version}
            for library, version in content["versions"].items()
        }
        resumed = len(content.get("resumed", []))
        command = shlex.join([Path(program).name, *map(str, words)])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "mend or remove that file"
        raise config_error("RUN", str(path), "isn't what a run writes", remedy) from error
    rows = [
        (_text(library), _text(known.get("version")), _text(known.get("commit") or ""))
        for library, known in versions.items()
    ]
    return [
        f"From `environment.json`{f'; resumed {resumed} times, see there' if resumed else ''}. "
        f"This card was written with torch {torch.__version__}.",
        _code([command], "bash"),
        _table(("library", "version", "commit"), rows),
    ]
