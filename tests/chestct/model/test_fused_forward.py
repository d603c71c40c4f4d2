import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chestct.model.fused_forward import convolved_after_doubling, fused_forward
from chestct.model.network import build_network


@given(
    height=st.integers(1, 5), width=st.integers(1, 5), channels=st.integers(1, 3), seed=st.integers(0, 1000)
)
@settings(max_examples=25, deadline=None)
def test_convolving_before_doubling_gives_what_convolving_after_it_gives(height, width, channels, seed):
    generator = torch.Generator().manual_seed(seed)
    small = torch.randn(2, channels, height, width, generator=generator, dtype=torch.float64)
    kernel = torch.randn(4, channels, 3, 3, generator=generator, dtype=torch.float64)
    small.requires_grad_(), kernel.requires_grad_()
    large = torch.nn.functional.interpolate(small, scale_factor=2, mode="nearest")
    expected = torch.nn.functional.conv2d(large, kernel, padding=1)
    seen = convolved_after_doubling(small, kernel)
    assert torch.allclose(seen, expected, atol=1e-12)

    weight = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    for mine, theirs in zip(
        torch.autograd.grad((seen * weight).sum(), (small, kernel)),
        torch.autograd.grad((expected * weight).sum(), (small, kernel)),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, atol=1e-12)


@pytest.mark.parametrize("architecture", ["unet/efficientnet-b0", "unet/tu-tf_efficientnet_lite0"])
def test_a_quickened_network_answers_and_learns_alike_under_the_same_names(architecture):
    torch.manual_seed(0)
    plain = build_network(architecture).double().eval()
    quick = build_network(architecture).double().eval()
    quick.load_state_dict(plain.state_dict())
    fused_forward(quick)
    assert quick.state_dict().keys() == plain.state_dict().keys()
    picture = torch.rand(2, 1, 64, 96, dtype=torch.float64)
    expected, seen = plain(picture), quick(picture)
    assert torch.allclose(seen, expected, atol=1e-9)
    expected.square().mean().backward()
    seen.square().mean().backward()
    gradients = dict(plain.named_parameters())
    for name, parameter in quick.named_parameters():
        theirs = gradients[name].grad
        assert (parameter.grad is None) == (theirs is None), name
        if theirs is not None:
            assert torch.allclose(parameter.grad, theirs, atol=1e-9), name


def test_the_long_way_is_taken_where_sizes_do_not_double():
    network = fused_forward(build_network().double().eval())
    block = network.get_submodule("decoder.blocks.4")
    small = torch.rand(1, 32, 3, 3, dtype=torch.float64)
    assert block(small, 7, 6).shape == (1, 16, 7, 6)


def test_a_network_without_such_blocks_stays_as_it_is():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3))
    picture = torch.rand(1, 1, 5, 5)
    before = network(picture)
    assert torch.equal(fused_forward(network)(picture), before)
