"""Started by test_cueco_ddp.py: trains CueCo on two gloo processes and writes what each has.

Arguments: the folder for the results, broadcast_buffers as 0 or 1, then options of CueCo as
``key=value`` in YAML. Lightning starts the second process by repeating this command.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from cueco_models import cueco
from lightning.pytorch import Callback
from lightning.pytorch.strategies import DDPStrategy
from omegaconf import OmegaConf
from support import fit, views_loader

from cueco_solo.methods.cueco import CueCo


class Keys(Callback):
    """The keys that this process made in the last step."""

    def __init__(self) -> None:
        self.keys = torch.empty(0)

    def setup(self, trainer, module, stage):
        original = module.losses

        def recording(z, k):
            self.keys = torch.stack(list(k)).clone()
            return original(z, k)

        module.losses = recording


def losses_with_gradient(model: CueCo, rank: int, world_size: int) -> dict[str, torch.Tensor]:
    """Unweighted losses of this process's share of 16 fixed queries, and their gradients."""
    generator = torch.Generator().manual_seed(1)
    z, k = F.normalize(torch.randn(2, 2, 16, 16, generator=generator), dim=-1)
    z, k = (x.chunk(world_size, dim=1)[rank].clone() for x in (z, k))
    z.requires_grad_()
    losses = model.losses(tuple(z), tuple(k))
    total = losses["centroid"] + losses["variance"]
    return {"loss": total.detach(), "gradient": torch.autograd.grad(total, z)[0]}


def build(options: Sequence[str]) -> CueCo:
    return cueco(**OmegaConf.from_dotlist(list(options)))  # type: ignore[misc]


def main(folder: str, broadcast_buffers: str, *options: str) -> None:
    model = build(options)
    keys = Keys()
    strategy = DDPStrategy(process_group_backend="gloo", broadcast_buffers=broadcast_buffers == "1")
    fit(model, keys, loader=views_loader(n=80), devices=2, strategy=strategy, max_epochs=2)
    result = {
        "state": {n: b for n, b in model.state_dict().items() if "queue" in n or "clusters" in n},
        "step": model.step,
        "weights": model.projector[0].weight.detach(),
        "keys": keys.keys,
        "share": losses_with_gradient(model, dist.get_rank(), 2),
    }
    torch.save(result, Path(folder) / f"rank{dist.get_rank()}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
