"""Classifiers side by side: their start, one product for all, fixed and learnable."""

import pytest
import torch
from support import unit

from cueco_solo.modules.classifiers import Classifiers, orthonormal

T = 3


@pytest.mark.parametrize(("classes", "dim"), [(1, 4), (5, 8), (8, 8)])
def test_no_more_classes_than_dimensions_gives_orthonormal_rows(classes: int, dim: int):
    weight = orthonormal(T, classes, dim)
    assert weight.shape == (T, classes, dim) and weight.dtype == torch.float32
    torch.testing.assert_close(
        weight @ weight.mT, torch.eye(classes).expand(T, -1, -1), atol=1e-6, rtol=0
    )


def distance_from_orthonormal_columns(matrix: torch.Tensor) -> tuple[float, torch.Tensor]:
    """How far rows of any length come to orthonormal columns at best; squares of the lengths."""
    rows = matrix.double()
    outer = torch.einsum("ci,cj->ijc", rows, rows).flatten(0, 1)
    eye = torch.eye(rows.shape[1], dtype=rows.dtype).flatten()
    lengths = torch.linalg.lstsq(outer, eye[:, None], driver="gelsd").solution
    return float((outer @ lengths - eye[:, None]).abs().max()), lengths


@pytest.mark.parametrize(("classes", "dim"), [(9, 5), (12, 6)])
def test_more_classes_than_dimensions_gives_orthonormal_columns_then_unit_rows(
    classes: int, dim: int
):
    torch.manual_seed(0)
    weight = orthonormal(T, classes, dim)
    assert weight.shape == (T, classes, dim)
    torch.testing.assert_close(weight.norm(dim=-1), torch.ones(T, classes))
    for head in weight:
        residual, lengths = distance_from_orthonormal_columns(head)
        assert residual < 1e-5 and (lengths > 0).all()
    # which unit vectors as such don't have
    assert distance_from_orthonormal_columns(unit(classes, dim))[0] > 0.05


@pytest.mark.parametrize("classes", [4, 9])
def test_heads_differ_and_follow_the_seed(classes: int):
    torch.manual_seed(1)
    first = orthonormal(T, classes, 5)
    torch.manual_seed(1)
    assert torch.equal(first, orthonormal(T, classes, 5))
    assert not torch.equal(first, orthonormal(T, classes, 5))
    for i in range(T):
        assert (first[i] - first[(i + 1) % T]).abs().max() > 0.1


@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("heads", [None, [2, 0], [1]])
def test_one_product_is_that_of_a_loop(heads: list[int] | None, learnable: bool):
    module, z = Classifiers(T, 7, 5, learnable=learnable), unit(4, 5).requires_grad_()
    chosen = None if heads is None else torch.tensor(heads)
    logits = module(z, chosen)
    loop = torch.stack([z @ module.weight[h].T for h in (heads or range(T))])
    assert logits.shape == loop.shape
    torch.testing.assert_close(logits, loop)
    # of which each number counts otherwise
    factors = torch.randn_like(loop)
    gradients = [torch.autograd.grad((x * factors).sum(), z)[0] for x in (logits, loop)]
    torch.testing.assert_close(*gradients)


def test_logits_are_cosines():
    module = Classifiers(T, 7, 5)
    own = module.weight[1, 3]
    logits = module(torch.stack([own, -own]))
    torch.testing.assert_close(logits[1, :, 3], torch.tensor([1.0, -1.0]))
    assert logits.abs().max() <= 1 + 1e-6


def test_fixed_classifiers_are_state_without_gradient():
    module = Classifiers(T, 7, 5)
    assert not list(module.parameters()) and not module.weight.requires_grad
    assert [name for name, _ in module.named_buffers()] == ["weight"]
    assert not module(unit(4, 5)).requires_grad


def test_learnable_classifiers_are_normalised_on_use():
    module = Classifiers(T, 7, 5, learnable=True)
    assert [name for name, _ in module.named_parameters()] == ["weight"]
    assert not list(module.buffers())
    torch.testing.assert_close(module.weight.norm(dim=-1), torch.ones(T, 7))
    z = unit(4, 5)
    before = module(z)
    with torch.no_grad():
        module.weight *= torch.linspace(0.1, 3, 7)[:, None]
    torch.testing.assert_close(module(z), before)
    for heads in (None, torch.tensor([0])):
        (gradient,) = torch.autograd.grad(module(z, heads).pow(2).sum(), module.weight)
        # a direction's gradient has no part along itself
        torch.testing.assert_close(
            (gradient * module.weight).sum(-1), torch.zeros(T, 7), atol=1e-5, rtol=0
        )
        assert gradient[0].abs().max() > 0


@pytest.mark.parametrize("source", [False, True])
@pytest.mark.parametrize("target", [False, True])
def test_state_dict(source: bool, target: bool):
    """The same one whether they learn or not."""
    one, two = (Classifiers(T, 7, 5, learnable=learnable) for learnable in (source, target))
    assert list(one.state_dict()) == ["weight"]
    z = unit(4, 5)
    assert not torch.allclose(one(z), two(z))
    two.load_state_dict(one.state_dict())
    torch.testing.assert_close(one(z), two(z))
    assert isinstance(two.weight, torch.nn.Parameter) == target
