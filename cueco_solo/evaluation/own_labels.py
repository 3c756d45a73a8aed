"""The labels that Self-Classifier itself gives, scored against the classes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cueco_solo.clustering.agreement import label_scores
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.per_image import PerImage
from cueco_solo.training.checkpoints import part_of, read_checkpoint
from cueco_solo.training.run_folder import Run

HEADS = ("first", "best")


@torch.no_grad()
def own_labels(run: Run, features: Tensor) -> Tensor:
    """Labels of the first head and of the one of the lowest loss, which is chosen without labels.

    Of float32 features ``[N, F]`` of a Self-Classifier run's backbone; int64 ``[2, N]``.

    Raises:
        ConfigError: the checkpoint can't be read.
    """
    from cueco_solo.methods.self_classifier import projector
    from cueco_solo.modules.classifiers import Classifiers

    state = read_checkpoint(run.checkpoint, "checkpoint")["state_dict"]
    weight, losses = state["classifiers.weight"], state["head_losses"]
    mlp, dim = projector(features.size(1), run.cfg.method_kwargs.mlp_dims)
    heads, classes, _ = weight.shape
    classifiers = Classifiers(heads, classes, dim)
    mlp.load_state_dict(part_of(state, "projector."))
    classifiers.load_state_dict({"weight": F.normalize(weight, dim=-1)})
    z = F.normalize(mlp.eval()(features), dim=-1)
    return classifiers(z, torch.stack([torch.tensor(0), losses.argmin()])).argmax(-1)


def own_label_scores(
    run: Run, features: Features, images: PerImage | None = None
) -> dict[str, float]:
    """How well a run's own labels of the test images, noted in ``images``, agree with the classes.

    Returns:
        Percent: for either head what :func:`.agreement.label_scores` returns, under ``first_head_``
        and ``best_head_``; nothing for a method without labels of its own.

    Raises:
        ConfigError: the checkpoint can't be read.
    """
    if run.cfg.method != "self_classifier":
        return {}
    classes = features.test_labels.numpy()
    scores = {}
    for name, labels in zip(HEADS, own_labels(run, features.test).numpy(), strict=True):
        prefix = f"{name}_head_"
        if images is not None:
            images.add_clusters(prefix, labels, classes)
        for figure, value in label_scores(classes, labels).items():
            scores[f"{prefix}{figure}"] = value
    return scores
