import pytest
import torch

from chestct.errors import WeightsError
from chestct.model.architecture import architecture_of
from chestct.model.network import build_network


def test_the_network_answers_with_four_classes_at_the_size_of_the_picture():
    network = build_network().eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 64, 96)).shape == (2, 4, 64, 96)


def test_the_architecture_of_the_card_names_the_encoder():
    assert architecture_of("efficientnet-b0") == "unet/efficientnet-b0"


@pytest.mark.parametrize("architecture", ["", "unet", "unet/", "segformer/mit_b0", "unet/no-such-encoder"])
def test_an_unknown_architecture_is_a_clear_error(architecture):
    with pytest.raises(WeightsError, match="architecture"):
        build_network(architecture)
