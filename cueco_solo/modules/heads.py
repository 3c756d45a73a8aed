"""Projectors and predictors."""

from collections.abc import Sequence

from torch import nn


def mlp_head(
    input_dim: int,
    hidden_dims: Sequence[int],
    output_dim: int,
    *,
    output_bn: bool = False,
    output_affine: bool = False,
    activation: type[nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """An MLP of Linear-BN-ReLU blocks with a linear output, as in MoCo v3 (arXiv:2104.02057).

    ``[N, input_dim] -> [N, output_dim]``.
    Linear layers in front of a batch norm have no bias, which the norm would cancel.

    Args:
        output_bn: end with a batch norm.
        output_affine: whether that one has affine parameters; MoCo v3's hasn't.
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
    layers.append(nn.Linear(input_dim, output_dim, bias=not output_bn))
    if output_bn:
        layers.append(nn.BatchNorm1d(output_dim, affine=output_affine))
    return nn.Sequential(*layers)
