"""What Self-Classifier's heads and loss cost, as ratios against peers measured in the same run.

    python scripts/benchmarks/self_classifier_cost.py [--batch-size 256] [--steps 5] [--repeats 20]

Prints, forward and backward:

- one product for all heads over a Python loop over heads, alone and with the loss, for the paper's
  ImageNet and CIFAR sizes;
- heads and loss as a share of a training step in the CIFAR setting (ResNet-18 with CIFAR stem, 32
  pixels).
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from common import configuration, machine, random_batch, seconds, training_step

from cueco_solo.losses.self_classifier import self_classification
from cueco_solo.methods.self_classifier import SelfClassifier
from cueco_solo.modules.classifiers import Classifiers

_SIZES = {"ImageNet": (30, 1000, 128), "CIFAR": (30, 30, 64)}  # heads, classes, dimensions
_OPTIONS: dict[str, Any] = {
    "num_targets": 2,
    "temperature": 0.1,
    "column_temperature": 0.1,
    "normalize_rows": True,
}


def looped(classifiers: Classifiers, z: torch.Tensor) -> torch.Tensor:
    """What ``classifiers(z)`` is, head by head."""
    return torch.stack([F.linear(z, weight) for weight in classifiers.weight])


def loss(logits: torch.Tensor) -> torch.Tensor:
    return self_classification(logits, **_OPTIONS).mean()


def looped_loss(logits: torch.Tensor) -> torch.Tensor:
    heads = [self_classification(head[:, None], **_OPTIONS) for head in logits.unbind(1)]
    return torch.cat(heads).mean()


def forward_and_backward(
    product: Callable[[torch.Tensor], torch.Tensor],
    objective: Callable[[torch.Tensor], torch.Tensor],
    z: torch.Tensor,
) -> Callable[[], None]:
    """Of both views."""

    def run() -> None:
        z.grad = None
        objective(torch.stack([product(view) for view in z])).backward()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(machine())
    torch.manual_seed(0)
    n = args.batch_size

    def views(dim: int) -> torch.Tensor:
        return F.normalize(torch.randn(2, n, dim, device=device), dim=-1).requires_grad_()

    for name, (heads, classes, dim) in _SIZES.items():
        classifiers, z = Classifiers(heads, classes, dim).to(device), views(dim)

        def loop(x: torch.Tensor, classifiers: Classifiers = classifiers) -> torch.Tensor:
            return looped(classifiers, x)

        pairs = {
            "product": ((classifiers, torch.sum), (loop, torch.sum)),
            "product and loss": ((classifiers, loss), (loop, looped_loss)),
        }
        for what, functions in pairs.items():
            one, many = (
                seconds(forward_and_backward(*pair, z), args.repeats) for pair in functions
            )
            print(
                f"{name}, batch {n}, {heads} heads of {classes} classes, {dim} dimensions: {what} "
                f"{one * 1e3:.1f} ms = {one / many:.2f} x a loop over heads"
            )

    model = SelfClassifier(configuration("self_classifier", {}, 0.99)).to(device)
    whole = seconds(training_step(model, random_batch(n, 50_000, device)), args.steps)
    z = views(model.options.mlp_dims[-1])
    alone = seconds(
        forward_and_backward(model.classifiers, lambda x: model.losses(x).mean(), z), args.repeats
    )
    print(
        f"CIFAR, batch {n}: Self-Classifier step {whole:.3f} s; heads and loss {alone * 1e3:.1f} "
        f"ms = {alone / whole:.2%} of it"
    )


if __name__ == "__main__":
    main()
