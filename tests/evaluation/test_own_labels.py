"""Self-Classifier's own labels: of a run folder as of the model, scored and shown."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from gathering import part
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_mutual_info_score

from cueco_solo.cli import main
from cueco_solo.evaluation.checks import evaluation_data
from cueco_solo.evaluation.feature_cache import cached_features
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.own_labels import own_label_scores, own_labels
from cueco_solo.methods.self_classifier import SelfClassifier
from cueco_solo.results.figures import run_figures
from cueco_solo.training.checkpoints import read_checkpoint
from cueco_solo.training.run_folder import load_run

HEADS, CLASSES = 3, 7


@pytest.fixture(scope="module", params=[True, False], ids=["fixed", "learnable"])
def run(request, tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    folder = tiny.write_config(tmp_path_factory.mktemp("own"), images)
    settings = f"mlp_dims: [16, 8], num_heads: {HEADS}, head_size: {CLASSES}"
    made = tiny.pretrain(
        folder,
        "method=self_classifier",
        "~method_kwargs",
        f"++method_kwargs={{{settings}, fixed_classifier: {request.param}}}",
        "~momentum",
    )
    assert made == 0
    (folder,) = tiny.run_folders(folder, "self_classifier")
    return folder


def features_of(folder: Path, cache: bool = True) -> Features:
    run = load_run(folder)
    return cached_features(run, evaluation_data(run), False, 8, 0, "cpu", cache=cache)


def test_they_are_those_of_the_model(run: Path):
    state = read_checkpoint(load_run(run).checkpoint, "checkpoint")["state_dict"]
    model = SelfClassifier(load_run(run).cfg).eval()
    model.load_state_dict(state)
    features = features_of(run)
    with torch.no_grad():
        z = torch.nn.functional.normalize(model.projector(features.test), dim=-1)
        expected = model.classifiers(z).argmax(-1)
    found = own_labels(load_run(run), features.test)
    assert found.shape == (2, 9) and found.dtype == torch.int64
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[state["head_losses"].argmin()])


def test_scores(run: Path, monkeypatch: pytest.MonkeyPatch):
    features = features_of(run)
    truth = features.test_labels.numpy()
    labels = np.array([[0, 0, 3, 3, 3, 5, 6, 6, 6], [1] * 9])
    monkeypatch.setattr(
        "cueco_solo.evaluation.own_labels.own_labels", lambda *_: torch.from_numpy(labels)
    )
    found = own_label_scores(load_run(run), features)
    counts = np.zeros((CLASSES, 3))
    np.add.at(counts, (labels[0], truth), 1)
    matched = counts[linear_sum_assignment(counts, maximize=True)].sum()
    assert found["first_head_acc"] == pytest.approx(100 * matched / 9)
    assert found["first_head_acc_many_to_one"] == pytest.approx(100 * counts.max(1).sum() / 9)
    assert matched < counts.max(1).sum()  # two meanings, two numbers
    assert found["first_head_ami"] == pytest.approx(
        100 * adjusted_mutual_info_score(truth, labels[0])
    )
    assert found["best_head_nmi"] == 0 and found["best_head_acc"] == pytest.approx(100 / 3)


def test_a_method_without_labels_of_its_own_has_no_scores(trained: Path):
    assert own_label_scores(load_run(trained), features_of(trained, cache=False)) == {}


def test_command_and_report_give_them(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["cluster", str(run), "--restarts", "1", "--device", "cpu"]) == 0
    features = features_of(run)
    (written,) = (json.loads(path.read_text()) for path in run.glob("eval-cluster*.json"))
    scores = own_label_scores(load_run(run), features)
    assert scores.items() <= written["results"].items()

    protocols = {figure["protocol"] for figure in run_figures(load_run(run))}
    assert {"clustering-first-head", "clustering-best-head"} < protocols
    shown = part(run)
    assert shown["missing"] == []
    kmeans, first, best = shown["clusters"]
    assert kmeans["name"] == "K-means" and len(kmeans["matrix"]) == 3
    assert first["name"] == "Own labels, first head"
    assert best["name"] == "Own labels, best head"
    for clusters, labels in zip(
        (first, best), own_labels(load_run(run), features.test), strict=True
    ):
        counts = np.zeros((CLASSES, 3), dtype=int)
        np.add.at(counts, (labels.numpy(), features.test_labels.numpy()), 1)
        assert sorted(clusters["order"]) == list(range(CLASSES))
        assert clusters["matrix"] == counts[clusters["order"]].tolist()
