"""Projectors and predictors."""

from collections.abc import Sequence

import torch
from torch import nn


def mlp_head(
    input_dim: int,
    hidden_dims: Sequence[int],
    output_dim: int,
    *,
    output_bn: bool = False,
    output_affine: bool = False,
    output_bias: bool = True,
    activation: type[nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """An MLP of Linear-BN-ReLU blocks with a linear output, as in MoCo v3 (arXiv:2104.02057).

    ``[N, input_dim] -> [N, output_dim]``.
    Linear layers in front of a batch norm have no bias, which the norm would cancel.

    Args:
        output_bn: end with a batch norm.
        output_affine: whether that one has affine parameters; MoCo v3's hasn't.
        output_bias: whether the last linear layer has a bias, where no batch norm follows.
        activation: of the hidden layers.
    """
    layers: list[nn.Module] = []
    for hidden_dim in hidden_dims:
        layers += [
            nn.Linear(input_dim, hidden_dim, bias=False),
            nn.BatchNorm1d(hidden_dim),
            activation(inplace=True),
        ]
        input_dim = hidden_dim
    layers.append(nn.Linear(input_dim, output_dim, bias=output_bias and not output_bn))
    if output_bn:
        layers.append(nn.BatchNorm1d(output_dim, affine=output_affine))
    return nn.Sequential(*layers)


class ResidualHead(nn.Sequential):
    """An MLP whose output is added to its input, ``[N, D] -> [N, D]``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


def predictor_head(
    dim: int,
    hidden_dim: int,
    *,
    kind: str = "mlp",
    init: str = "random",
    output_bn: bool = False,
    output_bias: bool = True,
) -> nn.Module:
    """A predictor, ``[N, dim] -> [N, dim]``.

    A random one leaves queries and keys unrelated at first. With ``init="identity"`` the first
    layer starts as ``[I; -I; random rows]`` and the last as ``[I, -I, 0]``: for inputs of zero mean
    and unit variance, such as a batch norm's, ReLU(x) - ReLU(-x) = x. The random rows get gradient
    once the last layer's zeros have moved, which they do in the first step. The same random numbers
    are drawn in either case.

    Args:
        dim: size of input and output.
        hidden_dim: size of the hidden layer; at least twice ``dim`` for an identity start.
        kind: ``"mlp"``, ``"residual"`` (an MLP whose last layer starts at zero, plus its input) or
            ``"none"`` (the identity, without parameters).
        init: ``"random"`` or ``"identity"``, of an MLP.
        output_bn: end with a batch norm without affine parameters.
        output_bias: whether the last linear layer has a bias.
    """
    if kind == "none":
        return nn.Identity()
    mlp = mlp_head(dim, [hidden_dim], dim, output_bn=output_bn, output_bias=output_bias)
    first, last = (layer for layer in mlp if isinstance(layer, nn.Linear))
    with torch.no_grad():
        if kind == "residual" or init == "identity":
            for parameter in last.parameters():
                parameter.zero_()
        if kind == "mlp" and init == "identity":
            eye = torch.eye(dim)
            first.weight[: 2 * dim] = torch.cat([eye, -eye])
            last.weight[:, : 2 * dim] = torch.cat([eye, -eye], dim=1)
    return ResidualHead(*mlp) if kind == "residual" else mlp
