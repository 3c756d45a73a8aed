"""Configurations with odd values or misspelt keys: trained, or refused in one line."""

import copy
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml
from fuzzing import checked, fuzzed, odd, places, put
from hypothesis import given
from hypothesis import strategies as st

from cueco_solo.training import pretrain, trainer
from cueco_solo.training.sections import PretrainingSettings

_HEADS = {"proj_hidden_dim": 16, "proj_output_dim": 8, "pred_hidden_dim": 16, "queue_size": 16}
METHODS: dict[str, dict[str, Any]] = {
    "mocov2plus": {"proj_hidden_dim": 16, "proj_output_dim": 8, "queue_size": 32}
    | {"temperature": 0.2},
    "cueco": {**_HEADS, "num_clusters": 4, "cluster_warmup_steps": 1, "cluster_reset_steps": 2}
    | {"clustering": "online", "temperature": 0.2},
    "rcl": {**_HEADS, "hierarchy_warmup_epochs": 1, "temperature": 0.2},
    "self_classifier": {"mlp_dims": [16, 8], "num_heads": 2, "head_size": 6},
}
# what a valid configuration may have beside; the keys are real ones
_MORE: dict[str, Any] = {
    "seed": 5,
    "knn_eval": {"enabled": True, "k": 2, "distance_func": "cosine"},
    "online_clustering": {"enabled": False},
    "performance": {"disable_channel_last": True},
    "resume": {"allow": []},
    "strategy": "auto",
    "precision": 32,
    "num_nodes": 1,
    "limit_train_batches": 1.0,
    "gradient_clip_val": 1.0,
    "val_check_interval": 1.0,
    "max_time": None,
    "resume_from_checkpoint": None,
}


BUILD = pretrain.build_method


class Reached(Exception):
    """The first step would follow."""


def base(method: str, images: Path) -> dict[str, Any]:
    content = yaml.safe_load(tiny.CONFIG.format(images=images, runs="runs"))
    content["optimizer"] |= {"weight_decay": 1e-4, "kwargs": {"momentum": 0.9}}
    content["scheduler"] |= {"warmup_epochs": 0, "min_lr": 0.0, "interval": "step"}
    content["backbone"]["kwargs"] = {}
    content |= copy.deepcopy(_MORE)
    content |= {"method": method, "method_kwargs": copy.deepcopy(METHODS[method])}
    if method == "self_classifier":
        del content["momentum"]
    return content


def misspelt(key: str) -> list[str]:
    """Names next to a real one."""
    return [key[:-1], f"{key}x", f"{key[1:]}", key.upper(), f"{key} ", key.replace("_", "-")]


def change(data: st.DataObject, content: dict[str, Any]) -> list[Any]:
    """One to three changes; what they are, for the message."""
    told: list[Any] = []
    for _ in range(data.draw(st.integers(1, 3))):
        every = [place for place in places(content) if place[0] != "defaults"]
        more = [(key,) for key in PretrainingSettings.model_fields if key not in content]
        place = data.draw(st.sampled_from(every + more))
        if data.draw(st.integers(0, 4)):
            value = data.draw(odd())
            put(content, place, copy.deepcopy(value))
            told.append((place, value))
        elif isinstance(place[-1], str):
            name = data.draw(st.sampled_from(misspelt(place[-1])))
            put(content, (*place[:-1], name), 1)
            told.append(("misspelt", place, name))
    return told


@pytest.mark.parametrize("method", METHODS)
@fuzzed(15)
@given(data=st.data())
def test_trained_or_refused(
    method: str,
    data: st.DataObject,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def fit(*_: Any, **__: Any) -> None:
        raise Reached

    def options_only(kind: Any, cfg: Any) -> None:
        kind.add_and_assert_specific_cfg(cfg)
        raise Reached

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainer, "fit", fit)
    whole = data.draw(st.integers(0, 5)) == 0  # building the model takes most of the time
    monkeypatch.setattr(pretrain, "build_method", BUILD if whole else options_only)
    content = base(method, images)
    told = change(data, content)
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
    words = ["pretrain", "--config-path", str(tmp_path), "--config-name", "odd"]
    try:
        checked(words, capsys, (0,))
    except Reached:
        return
    except BaseException as error:
        error.add_note(f"{method}: {told}")
        raise


@pytest.mark.parametrize("method", METHODS)
def test_unchanged_it_trains(
    method: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Or each refusal above would be one of the same mistake."""

    def fit(*_: Any, **__: Any) -> None:
        raise Reached

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainer, "fit", fit)
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(base(method, images)))
    from cueco_solo.cli import main

    with pytest.raises(Reached):
        main(["pretrain", "--config-path", str(tmp_path), "--config-name", "odd"])
