"""What both forms offer under the same names."""

import pickle
import sys
from typing import Any

import pytest
import torch
from host import tiny
from torch import Tensor

from cueco_solo import host
from cueco_solo.errors import ConfigError, HostError


def test_every_name_is_there() -> None:
    for name in host.__all__:
        if name != "dali":
            assert getattr(host, name) is not None, name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Supcon'"):
        host.Supcon  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", ["no_such_method", "base", "linear", "", None])
def test_an_unknown_method_is_refused_with_the_known_ones(name: Any) -> None:
    with pytest.raises(ConfigError, match=r"method=.* must be one of .*byol.*mocov2plus"):
        host.method_class(name)


@pytest.mark.parametrize("name", sorted(set(tiny.METHOD_KWARGS) - {"toy"}))
def test_stock_methods_are_picklable(name: str) -> None:
    method = host.method_class(name)
    assert pickle.loads(pickle.dumps(method)) is method
    model = tiny.build(tiny.configuration(name))
    twin = pickle.loads(pickle.dumps(model))
    assert type(twin) is method
    for key, value in model.state_dict().items():
        assert torch.equal(twin.state_dict()[key], value), key


def test_dali_without_dali_says_what_to_install() -> None:
    if host.FORM == "main":
        pytest.importorskip("nvidia.dali", reason="DALI isn't installed")
        assert host.dali.PretrainDALIDataModule
    else:
        with pytest.raises(HostError, match=r"data.format='dali' .* clone solo-learn's Git"):
            host.dali  # noqa: B018


def test_dali_missing_on_main(monkeypatch: pytest.MonkeyPatch) -> None:
    if host.FORM != "main":
        pytest.skip("release 1.0.2 never uses DALI")
    monkeypatch.setitem(sys.modules, "solo.data.dali_dataloader", None)
    with pytest.raises(HostError, match="pip install nvidia-dali-cuda130"):
        host.__getattr__("dali")


def test_gather_in_one_process_is_the_tensor_itself() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    gathered = host.gather(x)
    assert torch.equal(gathered, x)
    gathered.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))  # type: ignore[arg-type]


def test_omegaconf_select_reads_the_word_none() -> None:
    cfg = tiny.configuration("byol", ("scheduler.name=None",))
    assert host.omegaconf_select(cfg, "scheduler.name", "x") is None
    assert host.omegaconf_select(cfg, "scheduler.absent", "x") == "x"


def test_lars_steps_by_its_trust_ratio() -> None:
    def step(value: Tensor, grad: Tensor, **options: Any) -> Tensor:
        p = torch.nn.Parameter(value.clone())
        p.grad = grad.clone()
        host.LARS([p], **options).step()
        return p.detach()

    value, grad = torch.randn(4, 3), torch.randn(4, 3)
    ratio = 0.02 * value.norm() / (grad.norm() + 0.1 * value.norm() + 1e-8)
    options = {"lr": 0.5, "weight_decay": 0.1, "eta": 0.02}
    expected = value - 0.5 * ratio * (grad + 0.1 * value)
    torch.testing.assert_close(step(value, grad, **options), expected)
    clipped = value - 0.5 * min(ratio / 0.5, 1.0) * (grad + 0.1 * value)
    torch.testing.assert_close(step(value, grad, clip_lr=True, **options), clipped)
    # a bias: left alone by the ratio and the decay if so asked, scaled as any other if not
    flat, flat_grad = value.flatten(), grad.flatten()
    kept = step(flat, flat_grad, exclude_bias_n_norm=True, **options)
    torch.testing.assert_close(kept, flat - 0.5 * flat_grad)
    torch.testing.assert_close(step(flat, flat_grad, **options), expected.flatten())
    # no ratio without a norm
    zero = torch.zeros(4, 3)
    torch.testing.assert_close(step(zero, grad, **options), -0.5 * grad)
