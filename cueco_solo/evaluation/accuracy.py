"""Accuracies of predictions, by image and by class."""

from torch import Tensor

from cueco_solo.evaluation.per_image import PerImage

PER_CLASS = "mean_per_class"


def mean_per_class(hits: Tensor, labels: Tensor) -> float:
    """The mean over the classes of each class's accuracy, in percent.

    Args:
        hits: bool ``[M]``, whether an image is classified correctly.
        labels: int64 ``[M]``; classes without an image don't count.
    """
    classes = int(labels.max()) + 1
    images = labels.bincount(minlength=classes)
    right = labels[hits].bincount(minlength=classes)
    there = images > 0
    return float(100.0 * (right[there].double() / images[there]).mean())


def accuracies(
    scores: Tensor, labels: Tensor, per_class: bool = False, images: PerImage | None = None
) -> dict[str, float]:
    """Accuracies of class scores ``[M, C]`` against labels ``[M]``, in percent.

    Right answers are noted in ``images``.

    Returns:
        ``top1`` and ``top5``; first of all ``mean_per_class`` if ``per_class``, where that is what
        the data set is usually scored by.
    """
    ranked = scores.topk(min(5, scores.size(1)), dim=1).indices == labels[:, None]
    shares = {f"top{k}": float(100.0 * ranked[:, :k].any(1).double().mean()) for k in (1, 5)}
    if images is not None:
        for figure in ("top1", PER_CLASS) if per_class else ("top1",):
            images.add_hits(figure, ranked[:, 0], labels)
    if not per_class:
        return shares
    return {PER_CLASS: mean_per_class(ranked[:, 0], labels), **shares}
