"""Predictors and how they start."""

import pytest
import torch
from torch import nn

from cueco_solo.modules.heads import predictor_head

D = 16


def standardised(n: int = 64) -> torch.Tensor:
    """What a batch norm without affine gives, ``[n, D]``."""
    return nn.BatchNorm1d(D, affine=False)(5 * torch.randn(n, D) + 3)


@pytest.mark.parametrize("hidden", [2 * D, 4096])
def test_an_identity_start_returns_standardised_input(hidden: int):
    torch.manual_seed(0)
    head, x = predictor_head(D, hidden, init="identity"), standardised()
    assert (head(x) - x).abs().max() < 1e-4 * x.abs().max()
    # the batch norms' eps aside it is exact
    for layer in head:
        if isinstance(layer, nn.BatchNorm1d):
            layer.eps = 1e-15
    exact = x.double() - x.double().mean(0)
    exact = exact / exact.pow(2).mean(0).sqrt()
    torch.testing.assert_close(head.double()(exact), exact, rtol=0, atol=1e-12)


def test_every_unit_of_an_identity_start_learns():
    torch.manual_seed(0)
    head, x = predictor_head(D, 3 * D, init="identity"), standardised()
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for _ in range(2):  # the random rows wait for the zeros behind them
        optimizer.zero_grad()
        (head(x) - torch.randn(D)).pow(2).mean().backward()
        optimizer.step()
    assert (head[0].weight.grad.abs().sum(1) > 0).all()
    assert (head[3].weight.grad.abs().sum(0) > 0).all()


def test_a_residual_predictor_starts_as_the_identity_and_learns():
    head, x = predictor_head(D, 8, kind="residual"), torch.randn(32, D)
    assert torch.equal(head(x), x)
    head(x).pow(2).sum().backward()
    assert (head[3].weight.grad.abs() > 0).all()
    assert head.state_dict().keys() == predictor_head(D, 8).state_dict().keys()


def test_all_starts_draw_the_same_random_numbers():
    drawn = set()
    for options in ({}, {"init": "identity"}, {"kind": "residual"}):
        torch.manual_seed(3)
        predictor_head(D, 2 * D, **options)
        drawn.add(float(torch.rand(())))
    assert len(drawn) == 1


def test_output_norm_and_bias():
    assert predictor_head(D, 8)[3].bias is not None
    assert predictor_head(D, 8, output_bias=False)[3].bias is None
    last = predictor_head(D, 8, output_bn=True)[4]
    assert isinstance(last, nn.BatchNorm1d) and not last.affine
    assert not list(predictor_head(D, 8, kind="none").parameters())
