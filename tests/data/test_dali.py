"""solo-learn's DALI data module on photographs as JPEG, on a CPU, against what torchvision makes.

Where NVIDIA DALI is installed and solo-learn is main; scripts/checks/dali.sh sees to both.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from omegaconf import DictConfig
from PIL import Image

from cueco_solo import host
from cueco_solo.cli import main
from cueco_solo.data.datasets import pretraining_data
from cueco_solo.training.compose import compose_config

pytest.importorskip("nvidia.dali", reason="pip install nvidia-dali-cuda130")
if host.FORM != "main":
    pytest.skip("the release's DALI has another API", allow_module_level=True)

MEAN, STD = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
IMAGES, BATCH = 26, 8


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pieces of scikit-learn's two photographs, 13 of each, of several sizes."""
    from sklearn.datasets import load_sample_image

    root = tmp_path_factory.mktemp("photos")
    for name in ("china", "flower"):
        whole = Image.fromarray(load_sample_image(f"{name}.jpg"))
        for split, count in (("train", 13), ("val", 3)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                left, top, side = 40 * number, 20 * number % 200, 80 + 10 * (number % 5)
                piece = whole.crop((left, top, left + side, top + side + 20))
                piece.save(root / split / name / f"{number:02d}.jpg", quality=90)
    return root


def parsed(photos: Path, *overrides: str, **data: Any) -> DictConfig:
    cfg = compose_config(
        "cueco-custom",
        None,
        [f"optimizer.batch_size={BATCH}", "augmentations=asymmetric-32", *overrides],
    )
    places = {"train_path": str(photos / "train"), "val_path": None, "num_workers": 1}
    cfg.data.update({**places, **data})
    return host.parse_pretrain_cfg(cfg)


def loader(photos: Path, *overrides: str) -> Any:
    encoded = "dali.encode_indexes_into_labels=True"
    cfg = parsed(photos, "dali.device=cpu", encoded, *overrides, format="dali")
    module, steps = pretraining_data(cfg, world_size=1)
    assert steps == IMAGES // BATCH
    module.trainer = Trainer(accelerator="cpu", devices=1, logger=False)
    module.setup("fit")
    return module.train_dataloader()


def test_shapes_values_and_indexes_of_each_epoch(photos: Path):
    """Every epoch is there (solo-learn's issue 265: every second one was skipped)."""
    batches = loader(photos)
    low, high = (0 - MEAN) / STD, (1 - MEAN) / STD
    for epoch in range(4):
        found = list(batches)
        assert len(found) == len(batches) == IMAGES // BATCH, epoch
        indexes = torch.cat([index for index, _, _ in found])
        assert indexes.dtype == torch.int64
        # the last batch, of two images and those that the next epoch starts with, is dropped: so
        # later epochs take some images from the one after them, which may then come twice
        different = len(set(indexes.tolist()))
        assert different == len(indexes) if epoch == 0 else different > len(indexes) - BATCH
        for index, views, labels in found:
            assert [tuple(view.shape) for view in views] == [(BATCH, 3, 32, 32)] * 2
            assert all(view.dtype == torch.float32 for view in views)
            assert torch.equal(labels, index // 13)
            for view in views:
                assert (view >= low - 1e-4).all() and (view <= high + 1e-4).all()
            assert not torch.equal(*views)


def statistics(epochs: Iterable[Any]) -> torch.Tensor:
    """Mean and standard deviation of each channel in each view, ``[2, 2, 3]``."""
    found: list[list[torch.Tensor]] = [[], []]
    for batches in epochs:
        for _, views, _ in batches:
            for view, kept in zip(views, found, strict=True):
                kept.append(view.clone())
    joined = [torch.cat(kept) for kept in found]
    return torch.stack([torch.stack([v.mean((0, 2, 3)), v.std((0, 2, 3))]) for v in joined])


def torchvision_epochs(photos: Path, choice: str, epochs: int) -> Iterator[Any]:
    """The batches of each epoch as they are made without DALI."""
    for epoch in range(epochs):
        module, _ = pretraining_data(parsed(photos, choice, num_workers=0), 1, epoch)
        module.trainer = Trainer(accelerator="cpu", devices=1, logger=False)
        yield module.train_dataloader()


@pytest.mark.parametrize("augmentations", ["crop-32", "asymmetric-32", "symmetric-32"])
def test_views_are_as_bright_and_as_varied_as_torchvisions(photos: Path, augmentations: str):
    choice = f"augmentations={augmentations}"
    without = statistics(torchvision_epochs(photos, choice, 20))
    by_dali = statistics([loader(photos, choice)] * 20)
    # by chance alone, 480 views of each: a tenth is usual
    assert (without - by_dali).abs().max() < 0.2, (without, by_dali)


METHODS = {
    "cueco": (
        *("proj_hidden_dim=16", "proj_output_dim=8", "pred_hidden_dim=16", "queue_size=16"),
        *("num_clusters=4", "cluster_warmup_steps=2", "cluster_reset_steps=3"),
    ),
    "rcl": (
        *("proj_hidden_dim=16", "proj_output_dim=8", "pred_hidden_dim=16", "queue_size=16"),
        *("hierarchy_warmup_epochs=1", f"num_samples={IMAGES}"),
    ),
    "self_classifier": ("mlp_dims=[16,16,8]", "num_heads=2", "head_size=4"),
}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_all_epochs(method: str, photos: Path, tmp_path: Path):
    name = f"{method}-imagenet100" + "-dali" * (method != "self_classifier")
    words = [
        *("pretrain", "--config-name", name, "hardware=cpu", "augmentations=asymmetric-32"),
        *("data.dataset=custom", "data.format=dali", "dali.device=cpu", "data.num_workers=1"),
        *(f"data.train_path={photos / 'train'}", f"data.val_path={photos / 'val'}"),
        *(f"method_kwargs.{one}" for one in METHODS[method]),
        *(f"optimizer.batch_size={BATCH}", "scheduler.warmup_epochs=0", "max_epochs=3"),
        *(f"checkpoint.dir={tmp_path}", "enable_progress_bar=False"),
        *(["dali.encode_indexes_into_labels=True"] if method == "self_classifier" else []),
    ]
    assert main(words) == 0
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    assert torch.load(checkpoint, weights_only=False)["global_step"] == 3 * (IMAGES // BATCH)
