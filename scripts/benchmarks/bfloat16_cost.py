"""What a training step of CueCo gains from bfloat16 on this CPU.

    python scripts/benchmarks/bfloat16_cost.py [--batch-size 64] [--repeats 9]

ResNet-18 on 32 pixels, channels last, with and without CIFAR stem: forward, losses, backward pass
and update in float32 and under autocast to bfloat16, in turn; seconds of the processor, median and
extremes, and how far the first step's loss lies from float32's.
"""

import argparse
from collections.abc import Callable

import torch
from common import configuration, in_turn, machine, random_batch, training_step
from cueco_cost import give_clusters

from cueco_solo.methods.cueco import CueCo

_STEMS = {"CIFAR stem": "cifar10", "7x7 stem": "imagenet100"}


def stepping(stem: str, batch_size: int, bfloat16: bool) -> tuple[Callable[[], None], float]:
    """A step, and the loss of the first."""
    torch.manual_seed(0)
    cfg = configuration("cueco", {"num_clusters": 100, "cluster_warmup_steps": 1_000_000}, 0.996)
    cfg.data.dataset = stem
    model = CueCo(cfg).to(memory_format=torch.channels_last)
    give_clusters(model)
    batch = random_batch(batch_size, 50_000, "cpu")
    batch[1] = [x.to(memory_format=torch.channels_last) for x in batch[1]]
    step = training_step(model, batch)

    def under_autocast() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            step()

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        return under_autocast, float(model.training_step(batch, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()

    print(machine())
    for name, stem in _STEMS.items():
        steps, losses = {}, {}
        for kind in ("float32", "bfloat16"):
            steps[kind], losses[kind] = stepping(stem, args.batch_size, kind == "bfloat16")
        taken = in_turn(steps, args.repeats)
        middle = {kind: times[len(times) // 2] for kind, times in taken.items()}
        told = ", ".join(
            f"{kind} {middle[kind]:.3f} s [{times[0]:.3f}, {times[-1]:.3f}]"
            for kind, times in taken.items()
        )
        apart = losses["bfloat16"] / losses["float32"] - 1
        print(
            f"{name}, batch {args.batch_size}: {told}: "
            f"{middle['float32'] / middle['bfloat16']:.2f} x as fast; loss {apart:+.1e}"
        )


if __name__ == "__main__":
    main()
