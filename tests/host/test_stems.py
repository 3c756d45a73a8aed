"""ResNets with the stem for small images, on data that solo-learn doesn't call CIFAR."""

import pickle

import pytest
import torch
from host import tiny

from cueco_solo.export.networks import networks
from cueco_solo.host.stems import plain_name


@pytest.mark.parametrize("method", ["byol", "simclr"])
def test_the_same_weights_as_on_cifar(method: str) -> None:
    own = tiny.build(tiny.configuration(method, ("backbone.name=resnet18_cifar",)))
    cifar = tiny.build(tiny.configuration(method, ("data.dataset=cifar10",)))
    expected = cifar.state_dict()
    assert list(own.state_dict()) == list(expected)
    for name, value in own.state_dict().items():
        assert torch.equal(value, expected[name]), name
    x = torch.randn(2, 3, 32, 32)
    own, cifar = own.eval(), cifar.eval()
    assert torch.equal(own.backbone(x), cifar.backbone(x))
    assert type(pickle.loads(pickle.dumps(own))) is type(own)


def test_it_is_exported_as_the_plain_network_with_its_stem() -> None:
    model = tiny.build(tiny.configuration("simclr", ("backbone.name=resnet18_cifar",)))
    found = networks(model.cfg, model.backbone)
    assert {name: network.name for name, network in found.items()} == {
        "torchvision": "resnet18",
        "timm": "resnet18",
    }
    assert all(network.stem["kernel_size"] == 3 for network in found.values())


def test_names_of_other_networks_stay() -> None:
    assert plain_name("resnet50_cifar") == "resnet50"
    assert plain_name("vit_tiny_cifar") == "vit_tiny_cifar"
