"""Functions whose name or behaviour changed between 1.0.2 and main, and W-MSE's whitening."""

import solo.methods.wmse as legacy_wmse
import torch
import torch.distributed as dist
from solo.losses.moco import moco_loss_func as mocov2plus_loss_func

# of one process, where main's gathers the predictions of all
from solo.losses.nnclr import nnclr_loss_func
from torch import Tensor


def gather(X: Tensor, dim: int = 0) -> Tensor:
    """All processes' tensors, joined along ``dim`` in the order of ranks.

    The gradient that reaches ``X`` is the sum of all processes' gradients; 1.0.2's own function
    passes on this process's alone.
    """
    if dist.is_available() and dist.is_initialized():
        from torch.distributed.nn.functional import all_gather

        return torch.cat(all_gather(X), dim=dim)
    return X


class Whitening2d(torch.nn.Module):
    """Cholesky whitening of a batch of features ``[N, D]`` (arXiv:2007.06346)."""

    def __init__(self, output_dim: int, eps: float = 0.0):
        super().__init__()
        self.output_dim, self.eps = output_dim, eps

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = x.float() - x.float().mean(0)
            covariance = x.T @ x / (len(x) - 1)
            eye = torch.eye(self.output_dim, device=x.device)
            factor = torch.linalg.cholesky((1 - self.eps) * covariance + self.eps * eye)
            return torch.linalg.solve_triangular(factor, x.T, upper=False).T


# 1.0.2's calls torch.cholesky, which torch no longer has
legacy_wmse.Whitening2d = Whitening2d
