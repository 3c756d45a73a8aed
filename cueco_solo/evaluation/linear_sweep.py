"""Linear probes at many learning rates, trained together; the best on held-out images counts.

The rate that suits the features of one method is too low or too high for those of another, whose
size and spectrum differ. Here every method gets the best rate of one grid. Rates are those of
features as :class:`~cueco_solo.evaluation.scale.Standard` scales them, so the size of the features
doesn't move the best rate in the grid; where it lies at an end all the same, the grid is widened.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from cueco_solo.data.checks import check_batch_size
from cueco_solo.errors import config_error
from cueco_solo.evaluation.accuracy import accuracies
from cueco_solo.evaluation.choice import Axis, Choice, Setting, Tried, best_of, given_axis
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.linear import rate_schedule
from cueco_solo.evaluation.per_image import PerImage
from cueco_solo.evaluation.scale import Standard
from cueco_solo.evaluation.subsets import held_out
from cueco_solo.training.hardware import find_hardware

# rates of the grid are 10 ** (place / 3): 13 from 0.1 to 1000, then two decades more at an end
PLACES = range(-3, 10)
HELD_OUT = 10.0  # percent of the training features
_MORE = 6
_LOGITS = 2**24  # held at a time: 64 MB


def rate_at(place: int) -> float:
    """The learning rate at a place of the grid, or beyond its ends."""
    return 10 ** (place / 3)


def fit_probes(
    x: Tensor,
    labels: Tensor,
    rows: Tensor,
    settings: Sequence[Setting],
    cfg: DictConfig,
    standard: Standard,
) -> Tensor:
    """Train one linear classifier per setting, all on the same batches in the same order.

    Each follows the step of ``torch.optim.SGD`` from weights of zero. Their weights are one matrix,
    so that a batch takes one product forwards and one backwards.

    Args:
        x: float ``[N, D]``.
        labels: int64 ``[N]``, in [0, C).
        rows: int64 ``[n]``, of x and labels to learn from.
        settings: of the P probes: learning rate and weight decay.
        cfg: a parsed configuration, for all that the probes have in common.
        standard: how x is scaled.

    Returns:
        Weights ``[P, C, D + 1]`` on the device of x; the last of each row is the bias.

    Raises:
        ConfigError: there are fewer rows than a batch holds.
    """
    size, epochs, momentum = cfg.optimizer.batch_size, cfg.max_epochs, cfg.optimizer.kwargs.momentum
    check_batch_size(size, 1, len(rows))
    probes, classes, dim, device = len(settings), int(labels.max()) + 1, x.size(1), x.device
    steps = len(rows) // size
    schedule = iter(rate_schedule(cfg, steps))
    weights = x.new_zeros(probes * classes, dim + 1)
    velocity = torch.zeros_like(weights)
    rate, decay = (
        x.new_tensor(values).repeat_interleave(classes)[:, None]
        for values in zip(*settings, strict=True)
    )
    batch, each = x.new_ones(size, dim + 1), torch.arange(size, device=device)
    order = torch.Generator().manual_seed(cfg.seed)
    quiet = not cfg.get("enable_progress_bar", True)
    what = f"{probes} linear probes" if probes > 1 else "linear probe"
    for _ in tqdm(range(epochs), desc=what, unit="epoch", leave=False, disable=quiet):
        shuffled = rows[torch.randperm(len(rows), generator=order)[: steps * size]].to(device)
        for chosen in shuffled.split(size):
            batch[:, :dim] = standard(x[chosen])
            # gradients of the logits; a probe that diverges spoils no other
            errors = (batch @ weights.T).view(size, probes, classes).softmax(2)
            errors[each, :, labels[chosen]] -= 1
            velocity.addmm_(errors.view(size, -1).T, batch, beta=momentum, alpha=1 / size)
            velocity.addcmul_(weights, decay)
            weights.addcmul_(velocity, rate, value=-next(schedule))
    return weights.view(probes, classes, dim + 1)


def _logits(weights: Tensor, x: Tensor, standard: Standard) -> Tensor:
    """``[n, P, C]`` of features ``[n, D]``."""
    flat = weights.flatten(0, 1)
    found = torch.addmm(flat[:, -1], standard(x), flat[:, :-1].T)
    return found.view(len(x), *weights.shape[:2])


def _parts(weights: Tensor, rows: Tensor) -> tuple[Tensor, ...]:
    return rows.split(max(1, _LOGITS // weights[..., 0].numel()))


def _tried(
    x: Tensor,
    labels: Tensor,
    rows: Tensor,
    settings: Sequence[Setting],
    weights: Tensor,
    standard: Standard,
) -> list[Tried]:
    """The probes of some settings on the rows."""
    hits, losses = (torch.zeros(len(settings), dtype=torch.float64) for _ in range(2))
    for part in _parts(weights, rows):
        logits = _logits(weights, x[part], standard)
        targets = labels[part][:, None].expand(-1, len(settings))
        hits += (logits.argmax(2) == targets).sum(0).cpu()
        loss = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").sum(0)
        losses += loss.cpu()
    return [
        Tried(setting, 100 * hit / len(rows), loss / len(rows))
        if loss < float("inf")
        else Tried(setting, 0.0, None)
        for setting, hit, loss in zip(settings, hits.tolist(), losses.tolist(), strict=True)
    ]


def choose(
    x: Tensor,
    labels: Tensor,
    cfg: DictConfig,
    weight_decays: Sequence[float],
    standard: Standard,
) -> Choice:
    """The best setting on a held-out part of the training features.

    Args:
        x: training features, float ``[N, D]``.
        labels: int64 ``[N]``.
        cfg: a parsed configuration; ``seed`` names the held-out part.
        weight_decays: each with every rate.
        standard: how x is scaled.

    Raises:
        ConfigError: no class has two images, or there are fewer left than a batch holds.
    """
    aside = torch.tensor(held_out(labels.tolist(), HELD_OUT, cfg.seed), dtype=torch.long)
    if not len(aside):
        raise config_error(
            "--sweep",
            True,
            "holds out images of each class, but no class has two",
            "give --train-path with more images, or leave --sweep out",
        )
    mask = torch.ones(len(x), dtype=torch.bool)
    mask[aside] = False
    rest, aside = mask.nonzero()[:, 0], aside.to(x.device)

    def try_all(settings: Sequence[Setting]) -> list[Tried]:
        weights = fit_probes(x, labels, rest, settings, cfg, standard)
        return _tried(x, labels, aside, settings, weights, standard)

    rates = Axis("learning_rate", rate_at, PLACES, _MORE)
    return best_of([rates, given_axis("weight_decay", weight_decays)], try_all, len(aside))


def swept_linear(
    features: Features,
    cfg: DictConfig,
    weight_decays: Sequence[float],
    per_class: bool = False,
    images: PerImage | None = None,
) -> tuple[dict[str, float], Choice]:
    """The setting chosen on training features, trained on all of them, and then validated once.

    Args:
        features: of both splits; the test split is used for the figures alone.
        cfg: a parsed configuration, whose ``optimizer.lr`` and ``weight_decay`` aren't used.
        weight_decays: that are tried with every rate, in units of scaled features.
        per_class: also the mean of the classes' accuracies; images choose all the same.
        images: where the right answers of the chosen probe are noted.

    Returns:
        tuple: percent of the test features, see :func:`.accuracy.accuracies`; and the choice.

    Raises:
        ConfigError: see :func:`choose`.
    """
    device = _device(cfg)
    standard = Standard(features.train).to(device)
    x, labels = features.train.to(device), features.train_labels.to(device)
    choice = choose(x, labels, cfg, weight_decays, standard)
    everything = torch.arange(len(x))
    weights = fit_probes(x, labels, everything, [choice.best.setting], cfg, standard)
    parts = _parts(weights, torch.arange(len(features.test)))
    scores = [_logits(weights, features.test[part].to(device), standard)[:, 0] for part in parts]
    found = accuracies(torch.cat(scores).cpu(), features.test_labels, per_class, images)
    return found, choice


def _device(cfg: DictConfig) -> str:
    hardware = find_hardware(cfg)
    if hardware.accelerator in ("gpu", "cuda"):
        return f"cuda:{hardware.devices[0]}"
    return hardware.accelerator
