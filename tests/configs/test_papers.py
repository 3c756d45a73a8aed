"""Each value of a configuration for the papers' data is the paper's, or says whose it is."""

import re
from typing import Any

import pytest
import yaml
from configurations import CUECO, FINETUNE, FOLDER, LINEAR, RCL, SELF_CLASSIFIER

# key: value, by the first words of a configuration's name; a longer name's go before a shorter's
PAPERS: dict[str, dict[str, Any]] = {
    # Sec. 4.1, and what is named
    "cueco": {
        "backbone.name": "resnet18",
        "method_kwargs.proj_hidden_dim": 4096,
        "method_kwargs.proj_output_dim": 256,
        "method_kwargs.pred_hidden_dim": 4096,
        "method_kwargs.temperature": 0.2,
        "method_kwargs.centroid_temperature": 0.2,
        "method_kwargs.queue_size": 16384,
        "method_kwargs.contrastive_weight": 1.0,
        "method_kwargs.centroid_weight": 0.1,
        "method_kwargs.variance_weight": 0.01,
        "method_kwargs.cluster_warmup_steps": 313,
        "method_kwargs.cluster_reset_steps": 1000,
        "method_kwargs.assignment": "hard",  # Eq. 3
        "method_kwargs.clustering": "online",  # Sec. 3.4
        "momentum.base_tau": 0.996,
        "momentum.final_tau": 1.0,
        "optimizer.name": "sgd",
        "optimizer.lr": 0.3,
        "optimizer.weight_decay": 1e-4,
        "max_epochs": 1000,
    },
    "cueco-imagenet100": {"max_epochs": 400, "backbone.name": "resnet18 with a 3x3 stem"},
    # Sec. 5, default settings
    "rcl": {
        "backbone.name": "resnet50",
        "method_kwargs.proj_hidden_dim": 2048,
        "method_kwargs.proj_output_dim": 256,
        "method_kwargs.pred_hidden_dim": 4096,
        "method_kwargs.temperature": 0.1,
        "method_kwargs.queue_size": 3 * 2**15,
        "method_kwargs.num_samples": 1_281_167,  # ImageNet's
        "method_kwargs.num_levels": 3,
        "method_kwargs.num_predictors": 3,
        "method_kwargs.hierarchy": "online",
        "method_kwargs.hierarchy_warmup_epochs": 10,
        "method_kwargs.dbscan_eps": [0.8, 0.7],
        "method_kwargs.dbscan_min_samples": 4,
        "method_kwargs.symmetric": True,
        "optimizer.name": "lars",
        "optimizer.batch_size": 4096,
        "optimizer.lr": 0.3,
        "optimizer.weight_decay": 1e-6,
        "optimizer.kwargs.exclude_bias_n_norm": True,
        "scheduler.name": "warmup_cosine",
        "scheduler.warmup_epochs": 10,
        "max_epochs": 200,
    },
    # Secs. 7.2 and 7.4
    "self_classifier": {
        "method_kwargs.preset": "v1",
        "method_kwargs.queue_size": 0,
        "scheduler.name": "warmup_cosine",
        "max_epochs": 800,
        # null: filled in by the preset, see test_values.py
        **dict.fromkeys(
            f"method_kwargs.{key}"
            for key in ("temperature", "column_temperature", "normalize_rows", "fixed_classifier")
        ),
    },
    "self_classifier-cifar": {
        "backbone.name": "resnet18",
        "method_kwargs.mlp_dims": [256, 256, 64],
        "method_kwargs.head_size": 30,
        "optimizer.name": "sgd",
        "optimizer.batch_size": 256,
        "optimizer.lr": 3.2,
        "optimizer.weight_decay": 1e-6,
        "optimizer.kwargs.momentum": 0.9,
        "scheduler.warmup_epochs": 0,
        "scheduler.min_lr": 0.032,
    },
    "self_classifier-cifar100-20": {"method_kwargs.head_size": 60},
    "self_classifier-imagenet": {
        "backbone.name": "resnet50",
        "method_kwargs.mlp_dims": [4096, 4096, 128],
        "method_kwargs.num_heads": 30,
        "method_kwargs.head_size": 1000,
        "optimizer.name": "lars",
        "optimizer.batch_size": 4096,
        "optimizer.lr": 0.2,  # Table 6 has its best at 0.3
        "optimizer.weight_decay": 1e-4,
        "scheduler.warmup_epochs": 10,
        "scheduler.warmup_start_lr": 0.2,
        "scheduler.min_lr": 0.0032,
    },
    # CueCo, Sec. 4.2
    "linear": {
        "backbone.name": "resnet18",
        "optimizer.name": "sgd",
        "optimizer.batch_size": 256,
        "optimizer.lr": 3.0,
        "optimizer.weight_decay": 1e-6,
        "scheduler.name": "warmup_cosine",
        "scheduler.warmup_epochs": 0,
        "max_epochs": 100,
    },
    # RCL, Sec. 5.1
    "linear-imagenet": {
        "backbone.name": "resnet50",
        "optimizer.name": "lars",
        "optimizer.batch_size": 4096,
        "optimizer.lr": 1 / 16,
        "optimizer.weight_decay": None,
        "optimizer.kwargs.nesterov": True,
        "max_epochs": 90,
    },
    "linear-imagenet100": {
        "backbone.name": "resnet18",
        "optimizer.name": "sgd",
        "optimizer.batch_size": 256,
        "optimizer.lr": 3.0,
        "optimizer.weight_decay": 1e-6,
        "optimizer.kwargs.nesterov": None,
        "max_epochs": 100,
    },
    # Self-Classifier, Sec. 7.4
    "linear-imagenet-self_classifier": {
        "optimizer.lr": 0.8 / 16,
        "optimizer.weight_decay": 0,
        "optimizer.kwargs.nesterov": None,
        "max_epochs": 100,
    },
    # SimCLR, App. B.5, which RCL's Sec. 5.1 refers to
    "finetune": {
        "backbone.name": "resnet50",
        "optimizer.name": "sgd",
        "optimizer.batch_size": 4096,
        "optimizer.lr": 0.05,
        "optimizer.weight_decay": 0,
        "optimizer.kwargs.nesterov": True,
        "scheduler.warmup_epochs": 0,
        "max_epochs": 30,
    },
    "finetune-imagenet-1pct": {"max_epochs": 60},
}
OTHERS = re.compile(r"\b(ours|solo-learn's|SMoG's|BYOL's|SwAV's|the authors' code)")
# where things lie and what is evaluated, not how
PLACES = {
    *("defaults", "hydra", "name", "method", "data", "checkpoint", "auto_resume", "dali"),
    *("pretrained_feature_extractor", "pretrain_method", "finetune"),
}
PRETRAIN = CUECO + RCL + SELF_CLASSIFIER
NAMES = [n for n in PRETRAIN + LINEAR + FINETUNE if not n.endswith(("custom", "digits", "placed"))]


def papers(name: str) -> dict[str, Any]:
    """The paper's values for a configuration."""
    values: dict[str, Any] = {}
    for start in sorted(PAPERS, key=len):
        if name.startswith(start):
            values |= PAPERS[start]
    return values


def lines(text: str) -> dict[str, tuple[Any, bool]]:
    """Each key's value, and whether it says that it is somebody else's.

    A comment on a line of its own goes for the keys of its section up to the next one; with
    "all but a and b" not for these, and for the lines below "overwrite PL stuff" to the end.
    """
    found: dict[str, tuple[Any, bool]] = {}
    path: list[str] = []
    above, but = False, ""
    for line in text.splitlines():
        code, _, comment = line.partition(" #")
        if line.lstrip().startswith("#"):
            if "PL stuff" in line:
                above, but = bool(OTHERS.search(line)), line
            continue
        match = re.match(r"( *)(\w+):(.*)", code)
        if not match:
            continue
        depth = len(match[1]) // 2
        path[depth:] = [match[2]]
        if match[3].strip():
            covered = above and not re.search(rf"all but.*\b{match[2]}\b", but)
            value = yaml.safe_load(match[3])
            # YAML 1.1 takes 1e-6 for text, OmegaConf doesn't
            value = float(value) if re.fullmatch(r"\d+e-?\d+", str(value)) else value
            found[".".join(path)] = (value, covered or bool(OTHERS.search(comment)))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_the_papers_or_says_whose_it_is(name: str) -> None:
    expected = papers(name)
    found = lines((FOLDER / f"{name}.yaml").read_text())
    faults = []
    for key, (value, marked) in found.items():
        if key.split(".")[0] in PLACES:
            continue
        same = key in expected and expected[key] == value
        if same == marked:
            faults.append(f"{key}: {value} {'is' if same else 'is not'} the paper's")
    assert not faults
    # what the paper has is said, not left to a default
    left_out = [k for k, value in expected.items() if k not in found and value is not None]
    assert not [k for k in left_out if k != "method_kwargs.num_samples"]


def test_a_value_of_ones_own_without_a_mark_is_found() -> None:
    text = "optimizer:\n  lr: 0.4\n  eta: 1e-3 # BYOL's\n\n# PL stuff; all but max_epochs ours\n"
    assert lines(text + "max_epochs: 3\ndevices: [0]\n") == {
        "optimizer.lr": (0.4, False),
        "optimizer.eta": (0.001, True),
        "max_epochs": (3, False),
        "devices": ([0], True),
    }
