"""The choice of both learning rates of a fine-tuning, and the rate of the classifier."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from support import refusal
from torch import nn
from torch.utils.data import Dataset

from cueco_solo.evaluation import finetune_sweep, linear
from cueco_solo.evaluation.evaluate_finetune import usual_epochs
from cueco_solo.evaluation.finetune import thawed
from cueco_solo.evaluation.finetune_sweep import FinetuneSweep
from cueco_solo.evaluation.linear import fitted, parse_linear
from cueco_solo.evaluation.tried_before import TriedBefore
from cueco_solo.training.compose import compose_config


class Points(Dataset):
    """Overlapping classes in the plane; ``shift`` moves what is seen, as an augmentation does."""

    def __init__(self, n: int, seed: int, shift: float = 0.0) -> None:
        self.targets = [i % 3 for i in range(n)]
        noise = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
        self.points = torch.tensor([[0.0, 2.0], [2.0, 0.0], [-2.0, -2.0]])[self.targets] + noise
        self.points += shift

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.points[i], self.targets[i]


class Backbone(nn.Linear):
    num_features = 4

    def __init__(self) -> None:
        super().__init__(2, 4)
        with torch.no_grad():
            self.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]))
            self.bias.zero_()


def config(folder: Path, *overrides: str) -> DictConfig:
    for name in "abc":
        (folder / "images" / name).mkdir(parents=True)
    paths = [f"data.{split}_path={folder / 'images'}" for split in ("train", "val")]
    given = ["hardware=cpu", "enable_progress_bar=False", *paths, "max_epochs=3"]
    given += ["data.num_workers=0", *overrides]
    cfg = compose_config("finetune-custom", None, given, linear=True)
    cfg.performance = {"disable_channel_last": True}
    return cfg


@pytest.fixture
def cfg(tmp_path: Path) -> DictConfig:
    return config(tmp_path)


def sweep(cfg: DictConfig, folder: Path, val: Any, plain: Any = None, n: int = 60) -> FinetuneSweep:
    folder.mkdir(exist_ok=True)
    before = TriedBefore(folder, "key")
    return FinetuneSweep(Backbone(), cfg, Points(n, 0), plain, val, range(0, n, 2), before)


@pytest.mark.parametrize("name", ["sgd", "adam"])
@pytest.mark.parametrize("schedule", ["none", "warmup_cosine"])
def test_the_classifier_has_a_rate_of_its_own(
    name: str, schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Three steps on all images, against torch's optimizer with two rates."""
    given = [f"optimizer.name={name}", f"scheduler.name={schedule}", "optimizer.batch_size=40"]
    given += ["optimizer.lr=0.064", "optimizer.classifier_lr=0.64", "optimizer.weight_decay=0.01"]
    given += ["~optimizer.kwargs.nesterov"] * (name == "adam")
    cfg = parse_linear(config(tmp_path, *given), finetune=True)
    rates = cfg.optimizer.lr, cfg.optimizer.classifier_lr
    assert rates == pytest.approx((0.01, 0.1))
    made, models = linear._model, []
    monkeypatch.setattr(linear, "_model", lambda *args: models.append(made(*args)) or models[-1])
    data = Points(40, 0)
    trainer = fitted(thawed(Backbone()), cfg, data, Points(9, 1))
    (model,) = models
    expected = copy.deepcopy(made(thawed(Backbone()), cfg))  # of the same seed
    parts: list[Any] = [expected.backbone, expected.classifier]
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name](
        [{"params": part.parameters()} for part in parts],
        lr=1,
        weight_decay=0.01,
        **({"momentum": 0.9, "nesterov": True} if name == "sgd" else {}),
    )
    for step in range(3):
        factor = (1 + math.cos(math.pi * step / 3)) / 2 if schedule != "none" else 1
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        optimizer.zero_grad()
        logits = expected.classifier(expected.backbone(data.points))
        F.cross_entropy(logits, torch.tensor(data.targets)).backward()
        optimizer.step()
    for key, value in expected.state_dict().items():
        torch.testing.assert_close(model.state_dict()[key], value, msg=key)
    # between the steps, all have the rate of the schedule
    assert len({group["lr"] for group in trainer.optimizers[0].param_groups}) == 1


def test_the_choice_is_made_on_held_out_images_without_augmentation(
    cfg: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[tuple[Any, Any]] = []

    def watched(backbone: Any, cfg: Any, train: Any, val: Any) -> Any:
        seen.append((train, val))
        return fitted(backbone, cfg, train, val)

    monkeypatch.setattr(finetune_sweep, "fitted", watched)
    plain = Points(60, 0, shift=1.0)
    made = sweep(cfg, tmp_path, Points(30, 1), plain)
    results, choice = made.run([0.01], [0.1, 0.5])
    assert results.keys() == {"top1", "top5"}
    assert len(seen) == len(choice.curve) and choice.images == 6
    for train, val in seen:
        assert val.dataset is plain
        assert set(train.indices).isdisjoint(val.indices)
        assert sorted([*train.indices, *val.indices]) == list(range(0, 60, 2))
        assert sorted(plain.targets[i] for i in val.indices) == [0, 0, 1, 1, 2, 2]
    assert all(
        torch.equal(v, w)
        for v, w in zip(
            made.backbone.state_dict().values(), Backbone().state_dict().values(), strict=True
        )
    )


def test_the_validation_labels_decide_nothing(cfg: DictConfig, tmp_path: Path):
    """Shuffled, they give another figure of the same choice."""
    found = []
    for shuffled in (False, True):
        val = Points(30, 1)
        if shuffled:
            val.targets = [(label + 1) % 3 for label in val.targets]
        made = sweep(cfg, tmp_path / str(shuffled), val, Points(60, 0))
        found.append(made.run([0.01, 0.05], [0.5, 5.0]))
    assert found[0][1] == found[1][1]
    assert found[0][0]["top1"] > found[1][0]["top1"] + 50
    # while a choice on the validation images, which says so, depends on them
    on_validation = sweep(cfg, tmp_path, val).run([0.01, 0.05], [0.5, 5.0])
    assert on_validation[1].chosen_on == "validation images"
    assert on_validation[1].images == 30
    assert on_validation[0]["top1"] == on_validation[1].best.top1
    assert on_validation[1] != found[1][1]


def test_a_sweep_goes_on_where_it_was_interrupted(
    cfg: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = sweep(cfg, tmp_path / "whole", Points(30, 1), Points(60, 0)).run([0.01, 0.02], [0.5])
    trained: list[float] = []

    def watched(backbone: Any, cfg: Any, *data: Any) -> Any:
        if len(trained) == 1:
            trained.append(0.0)
            raise KeyboardInterrupt
        trained.append(cfg.optimizer.lr)
        return fitted(backbone, cfg, *data)

    monkeypatch.setattr(finetune_sweep, "fitted", watched)
    with pytest.raises(KeyboardInterrupt):
        sweep(cfg, tmp_path, Points(30, 1), Points(60, 0)).run([0.01, 0.02], [0.5])
    made = sweep(cfg, tmp_path, Points(30, 1), Points(60, 0))
    assert made.run([0.01, 0.02], [0.5]) == whole
    assert len(trained) == len(set(trained)) == len(whole[1].curve) + 1
    made.before.remove()
    assert not (tmp_path / "sweeps").exists()


def test_pairs_that_diverge_dont_count(cfg: DictConfig, tmp_path: Path):
    made = sweep(cfg, tmp_path, Points(30, 1), Points(60, 0))
    _, choice = made.run([0.01, 1e30], [0.5])
    assert choice.best.loss is not None and choice.best.learning_rate < 1
    assert any((one.top1, one.loss) == (0.0, None) for one in choice.curve)
    made = sweep(cfg, tmp_path / "all", Points(30, 1), Points(60, 0))
    message = refusal(made.run, [1e30], [1e30])
    assert "--sweep=True led to a loss that isn't finite with every pair of rates; give" in message


def test_too_few_images_are_refused(cfg: DictConfig, tmp_path: Path):
    plain = Points(4, 0)
    message = refusal(sweep, cfg, tmp_path, Points(9, 1), plain, n=4)
    assert "no class has two; raise --percent, or add --choose validation" in message


def test_damaged_figures_of_an_interrupted_sweep_are_computed_again(tmp_path: Path):
    before = TriedBefore(tmp_path, {"a": 1})
    before.add((0.1, 0.5), {"top1": 1.0})
    assert TriedBefore(tmp_path, {"a": 1}).get((0.1, 0.5)) == {"top1": 1.0}
    assert TriedBefore(tmp_path, {"a": 2}).get((0.1, 0.5)) is None
    for text in ("{", "[1]", "[[1, 2]]", "[[[1], 2]]"):
        before.path.write_text(text)
        assert TriedBefore(tmp_path, {"a": 1}).get((0.1, 0.5)) is None


@pytest.mark.parametrize(
    ("percent", "epochs"), [(0.1, 60), (1, 60), (2, 49), (5, 37), (10, 30), (100, 30)]
)
def test_epochs_by_percent(percent: float, epochs: int):
    assert usual_epochs(percent) == epochs
