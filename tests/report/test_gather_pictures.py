"""Thumbnails, samples, embedding, clusters and companions, on few features and small images."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from queue_models import clustered_rcl, rcl
from scipy.stats import entropy
from support import refusal

from cueco_solo.errors import ConfigError
from cueco_solo.report import features as maps
from cueco_solo.report.companions import companions
from cueco_solo.report.thumbnails import Album, balanced, thumbnail
from cueco_solo.training.run_folder import Run


def shown(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


@pytest.fixture
def album(images: Path) -> Album:
    """18 training and 9 test images of blue, green and red, in this order."""
    data = {
        "dataset": "custom",
        "format": "image_folder",
        "train_path": str(images / "train"),
        "val_path": str(images / "val"),
    }
    return Album(OmegaConf.create(data))


def test_thumbnails_are_small_and_keep_their_shape_and_colour():
    large = Image.new("RGB", (200, 100), (250, 10, 10))
    large.paste((10, 10, 250), (100, 0, 200, 100))
    uri = thumbnail(large)
    assert uri.startswith("data:image/") and len(uri) < 600
    small = shown(uri)
    assert small.size == (32, 16)
    left, right = np.asarray(small)[8, 4], np.asarray(small)[8, 28]
    assert left[0] > 200 > 60 > left[2] and right[2] > 200 > 60 > right[0]
    assert shown(thumbnail(Image.new("L", (8, 8), 128))).size == (8, 8)  # not enlarged


def test_samples_are_balanced_and_repeatable():
    labels = np.repeat([0, 1, 2], [50, 3, 20])
    chosen = balanced(labels, 15, seed=1)
    assert np.bincount(labels[chosen]).tolist() == [6, 3, 6]
    assert sorted(set(chosen)) == chosen.tolist()
    assert balanced(labels, 15, seed=1).tolist() == chosen.tolist()
    assert balanced(labels, 15, seed=2).tolist() != chosen.tolist()
    assert balanced(labels, 1000, seed=1).tolist() == list(range(73))


def test_an_album_holds_each_picture_once(album: Album):
    places = [album.add("test", 8), album.add("train", 0), album.add("test", 8)]
    assert places == [0, 1, 0]
    found = album.images()
    assert found["classes"] == ["blue", "green", "red"]
    red, blue = (np.asarray(shown(uri)).mean((0, 1)) for uri in found["thumbnails"])
    assert red.argmax() == 0 and blue.argmax() == 2
    assert album.size("train") == 18 and album.size("test") == 9


def test_an_embedding_keeps_groups_together(album: Album):
    random = np.random.default_rng(0)
    labels = np.arange(9) // 3
    features = np.eye(3)[labels].repeat(20, 1) * 9 + random.normal(size=(9, 60))
    chosen = np.array([0, 1, 3, 4, 6, 7])
    made = maps.embedding(features, labels, chosen, album, "tsne", seed=1)
    assert made["algorithm"] == "t-SNE"
    assert made["label"] == [0, 0, 1, 1, 2, 2]
    assert made["image"] == [0, 1, 2, 3, 4, 5]
    assert made["file"][0] == "blue/0.png" and made["file"][5] == "red/1.png"
    assert [near[0] for near in made["near"]] == [1, 0, 3, 2, 5, 4]
    assert all(len({i, *near}) == 6 for i, near in enumerate(made["near"]))
    points = np.stack([made["x"], made["y"]], 1)
    distances = np.linalg.norm(points[:, None] - points, axis=2) + np.eye(6) * 1e9
    assert distances.argmin(1).tolist() == [1, 0, 3, 2, 5, 4]
    assert maps.embedding(features, labels, chosen, album, "tsne", seed=1) == made


def test_wide_features_are_reduced_first():
    features = np.random.default_rng(0).normal(size=(60, 80))
    points = maps.in_two_dimensions(features, "tsne", seed=1)
    assert points.shape == (60, 2) and np.isfinite(points).all()


@pytest.mark.parametrize(
    ("features", "text"),
    [(np.zeros((4, 8)), "4 test images are too few"), (np.ones((9, 8)), "they have collapsed")],
)
def test_features_that_have_no_embedding(features: np.ndarray, text: str):
    with pytest.raises(ConfigError, match=text):
        maps.in_two_dimensions(features, "tsne", seed=1)


def test_algorithms(monkeypatch: pytest.MonkeyPatch):
    maps.check_algorithm("tsne")
    maps.check_algorithm("none")
    with pytest.raises(ConfigError, match="--embedding='pca' must be tsne, umap or none"):
        maps.check_algorithm("pca")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs umap-learn, which isn't installed; pip install"):
        maps.check_algorithm("umap")


class Numbers:
    """An album whose pictures are their own indices."""

    def add(self, split: str, index: int) -> int:
        assert split == "test"
        return index


def clusters(assigned: Any, labels: Any, classes: int, number: int | None = None) -> Any:
    shape = number or classes, classes
    assigned, labels = np.array(assigned), np.array(labels)
    return maps.cluster_images("K-means", assigned, labels, shape, Numbers(), 1)


def test_clusters_of_the_lowest_entropy():
    labels = np.repeat([0, 1, 2], 20)
    assigned = labels[::-1].copy()  # cluster 2 has class 0, cluster 0 has class 2
    assigned[20:25] = 2
    made = clusters(assigned, labels, 3)
    assert made["order"] == [2, 1, 0]
    assert made["matrix"] == [[20, 5, 0], [0, 15, 0], [0, 0, 20]]
    first, second, third = made["lowest_entropy"]
    assert [first["cluster"], second["cluster"], third["cluster"]] == [0, 1, 2]  # larger first
    assert [first["size"], second["size"], third["size"]] == [20, 15, 25]
    assert [first["entropy"], second["entropy"]] == [0, 0]
    assert third["entropy"] == pytest.approx(entropy([20, 5]), rel=1e-3)
    for cluster in made["lowest_entropy"]:
        assert len(set(cluster["images"])) == 9
        assert set(assigned[cluster["images"]]) == {cluster["cluster"]}
    assert clusters(assigned, labels, 3) == made


def test_clusters_of_few_images_and_empty_ones():
    labels, assigned = [0] * 12 + [1] * 12 + [2], [0] * 12 + [0] * 12 + [2]
    (only,) = clusters(assigned, labels, 3)["lowest_entropy"]
    assert only["cluster"] == 0  # not the one of a single image
    made = clusters([0, 0, 2], [0, 0, 1], 3)
    assert [c["size"] for c in made["lowest_entropy"]] == [2, 1]
    assert np.sum(made["matrix"]) == 3 and sorted(made["order"]) == [0, 1, 2]


def test_more_clusters_than_classes():
    # cluster: its images of class 0, 1, 2
    counts = {0: (0, 9, 0), 1: (4, 0, 1), 2: (0, 5, 0), 3: (9, 0, 0), 4: (0, 0, 0), 5: (0, 1, 7)}
    pairs = [(k, c) for k, row in counts.items() for c, n in enumerate(row) for _ in range(n)]
    made = clusters(*np.array(pairs).T, 3, number=6)
    # of each class first the cluster that is matched with it; the empty one last
    assert made["order"] == [3, 1, 0, 2, 5, 4]
    assert made["matrix"] == [list(counts[k]) for k in made["order"]]


@pytest.mark.parametrize(
    ("assigned", "labels", "classes", "order"),
    [
        ([1] * 5 + [2] * 4 + [3] * 3, [2] * 12, 3, [1, 2, 3, 0]),
        ([1] * 12 + [2] * 7 + [4] * 2, [0] * 3 + [3] * 9 + [2] * 7 + [3] * 2, 4, [2, 1, 4, 0, 3]),
    ],
)
def test_empty_clusters_come_last(assigned: Any, labels: Any, classes: int, order: list[int]):
    assert clusters(assigned, labels, classes, number=classes + 1)["order"] == order


def test_fewer_clusters_than_classes():
    made = clusters([0] * 4 + [1] * 5, [2, 2, 2, 1, 0, 0, 0, 1, 1], 3, number=2)
    assert made["order"] == [1, 0] and made["matrix"] == [[3, 2, 0], [0, 1, 3]]


def test_no_matrix_of_very_many_classes():
    made = clusters([0, 5], [0, 200], 201)
    assert made["matrix"] == [] and made["order"] == [] and len(made["lowest_entropy"]) == 2


LEVELS = [
    [0, 0, 0, 3, 3, 5, *range(6, 18)],  # level 2
    [0, 0, 0, 0, 0, 5, *range(6, 18)],  # level 3
]


def rcl_run(folder: Path, levels: list[list[int]]) -> Run:
    """A run folder whose checkpoint has these labels; similarity falls with the index."""
    model = clustered_rcl(levels) if levels else rcl(num_levels=1)
    if model.hierarchy is not None:
        angles = torch.arange(len(levels[0])) * 0.1
        model.hierarchy.bank[:, :2] = torch.stack([angles.cos(), angles.sin()], 1).half()
    path = folder / "last.ckpt"
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("backbone")}
    torch.save({"state_dict": state}, path)
    return Run(folder, OmegaConf.create({"method": "rcl"}), path)


def test_companions(tmp_path: Path, album: Album):
    found = companions(rcl_run(tmp_path, LEVELS), album, seed=1)
    assert len(found) == 5  # images that aren't alone
    index = {place: int(i) for (_, i), place in album._places.items()}
    seen = {}
    for one in found:
        levels = one["levels"]
        assert [level["level"] for level in levels] == [2, 3]
        seen[index[one["image"]]] = [
            (level["size"], [index[i] for i in level["images"]]) for level in levels
        ]
    assert seen[0] == [(3, [1, 2]), (5, [3, 4])]  # level 3 shows what level 2 doesn't
    assert seen[4] == [(2, [3]), (5, [2, 1, 0])]  # the most similar first


def test_companions_where_a_level_adds_none(tmp_path: Path, album: Album):
    found = companions(rcl_run(tmp_path, [LEVELS[0], LEVELS[0]]), album, seed=1)
    for one in found:
        second, third = one["levels"]
        assert second["images"] == third["images"] and second["size"] == third["size"]


def test_companions_are_of_different_clusters_first(tmp_path: Path, album: Album):
    pairs = [i // 2 * 2 for i in range(18)]
    found = companions(rcl_run(tmp_path, [pairs, pairs]), album, seed=1)
    index = {place: i for (_, i), place in album._places.items()}
    assert len({index[one["image"]] // 2 for one in found}) == len(found) == 6


def test_runs_without_companions(tmp_path: Path, album: Album, images: Path):
    for levels, message in (
        ([list(range(18))] * 2, "alone in its clusters"),
        ([], "one level only"),
        ([[0, 0, 1, 1]], "holds 18 images, but the run was trained with 4"),
    ):
        assert message in refusal(companions, rcl_run(tmp_path, levels), album, seed=1)
    run = rcl_run(tmp_path, LEVELS)
    content = torch.load(run.checkpoint, weights_only=True)
    content["state_dict"]["hierarchy.runs"].zero_()
    torch.save(content, run.checkpoint)
    assert "before its first clustering" in refusal(companions, run, album, seed=1)
