import pytest
import torch

from chestct.model.network import build_network
from training.fitting.transfer import backbone_names, transfer

LITE0, B0 = "unet/tu-tf_efficientnet_lite0", "unet/efficientnet-b0"


@pytest.fixture(scope="module")
def networks() -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(0)
    return build_network(LITE0), build_network(B0)


def test_every_tensor_that_both_networks_have_is_moved(networks):
    lite0, b0 = networks
    copied = transfer(b0, lite0.state_dict())
    moved, donor = b0.state_dict(), lite0.state_dict()
    names = backbone_names(b0.state_dict())
    assert copied == len(names) + len([name for name in moved if not name.startswith("encoder.")])
    for mine, other in zip(names, [name for name in donor if name.startswith("encoder.")], strict=True):
        assert torch.equal(moved[mine], donor[other]), mine
    # b0's stem gives 32 channels to the last skip connection, lite0's first stage 16.
    wide, narrow = moved["decoder.blocks.3.conv1.0.weight"], donor["decoder.blocks.3.conv1.0.weight"]
    assert torch.equal(wide[:, : narrow.shape[1]], narrow)


def test_squeeze_excite_starts_nearly_open(networks):
    lite0, b0 = networks
    transfer(b0, lite0.state_dict())
    biases = [value for name, value in b0.state_dict().items() if name.endswith("_se_expand.bias")]
    assert len(biases) == 16
    assert all(torch.sigmoid(bias).min() > 0.95 for bias in biases)


def test_an_encoder_of_another_shape_takes_nothing(networks):
    lite0, _ = networks
    other = build_network("unet/resnet18")
    before = {name: value.clone() for name, value in other.state_dict().items()}
    assert transfer(other, lite0.state_dict()) == 0
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())
