import torch
from torch import nn

from cueco_solo.modules.heads import mlp_head


def test_layers_of_cueco():
    """Linear-BN-ReLU-Linear, with a norm without affine at the projector's end alone."""
    projector = mlp_head(512, [4096], 256, output_bn=True)
    kinds = [type(layer) for layer in projector]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, nn.BatchNorm1d]
    assert projector[0].out_features == 4096 and projector[3].out_features == 256
    assert projector[1].affine and not projector[4].affine
    assert [type(layer) for layer in mlp_head(256, [4096], 256)] == kinds[:4]


def test_layers_of_rcl():
    """A projector of three layers whose last norm has affine parameters like the others."""
    projector = mlp_head(512, [2048, 2048], 256, output_bn=True, output_affine=True)
    block = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    assert [type(layer) for layer in projector] == [*block, *block, nn.Linear, nn.BatchNorm1d]
    assert all(layer.affine for layer in projector if isinstance(layer, nn.BatchNorm1d))
    # a norm has its own bias
    assert all(layer.bias is None for layer in projector if isinstance(layer, nn.Linear))
    assert mlp_head(8, [8], 4, output_affine=True)[-1].bias is not None  # no norm without output_bn


def test_output_bn_standardises_each_dimension():
    out = mlp_head(6, [32], 4, output_bn=True)(torch.randn(64, 6))
    torch.testing.assert_close(out.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(0, unbiased=False), torch.ones(4), atol=1e-2, rtol=0)


def test_more_hidden_layers():
    head = mlp_head(3, [5, 7], 2)
    assert [layer.out_features for layer in head if isinstance(layer, nn.Linear)] == [5, 7, 2]
    assert head(torch.randn(4, 3)).shape == (4, 2)
