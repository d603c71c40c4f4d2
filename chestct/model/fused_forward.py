"""The same U-Net with less work: nothing is computed on pixels that an upsampling has only repeated.

Half of a step is spent in the decoder, whose first convolution of each block reads a picture that was
just made twice as large by repeating pixels. A 3 x 3 kernel over repeated pixels sees 2 x 2 different
ones, so four 2 x 2 kernels on the small picture, one for each parity of row and column, give the same
sums with 4/9 of the products, and the large copy is never made. Parameters and their names stay as
they are, so that weights travel freely; results differ by rounding alone.

Source: sub-pixel convolution as in Shi et al. 2016, arXiv 1609.05158; the folded kernel is plain algebra.
"""

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

# Row `a` of the large picture's parity, which of 2 small rows, which of the kernel's 3 rows: at an even
# row the kernel's rows lie on small rows i-1, i, i; at an odd row on i, i, i+1.
_FOLD = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])


class _Interleave(torch.autograd.Function):
    """Four pictures, one a parity, woven into one of twice the size; autograd's own way copies thrice."""

    @staticmethod
    def forward(ctx: Any, parts: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = parts.shape
        ctx.shape = parts.shape
        large = parts.new_empty(count, channels // 4, 2 * (height - 1), 2 * (width - 1)).contiguous(
            memory_format=torch.channels_last
        )
        for part, row, column in _parities(channels // 4):
            large[:, :, row::2, column::2] = parts[
                :, part, row : height - 1 + row, column : width - 1 + column
            ]
        return large

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (large,) = gradients
        _, channels, height, width = ctx.shape
        parts = large.new_empty(ctx.shape).contiguous(memory_format=torch.channels_last)
        for part, row, column in _parities(channels // 4):
            parts[:, part, row : height - 1 + row, column : width - 1 + column] = large[
                :, :, row::2, column::2
            ]
            # The one row and column of each parity that lie beside the large picture: zeroing all of it
            # first took 2 % of a training step.
            parts[:, part, (height - 1) * (1 - row)] = 0.0
            parts[:, part, :, (width - 1) * (1 - column)] = 0.0
        return parts


def _parities(channels: int) -> list[tuple[slice, int, int]]:
    return [
        (slice((2 * row + column) * channels, (2 * row + column + 1) * channels), row, column)
        for row in (0, 1)
        for column in (0, 1)
    ]


def convolved_after_doubling(small: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """`conv2d(interpolate(small, scale_factor=2, mode="nearest"), kernel, padding=1)`, never made large.

    Args:
        small: (N, C, H, W).
        kernel: (D, C, 3, 3).
    Returns:
        (N, D, 2 H, 2 W).
    """
    fold = _FOLD.to(kernel)
    folded = torch.einsum("apk,bql,oikl->aboipq", fold, fold, kernel).reshape(-1, kernel.shape[1], 2, 2)
    folded = folded.contiguous(memory_format=torch.channels_last)
    return _Interleave.apply(F.conv2d(small, folded, padding=1))  # pyright: ignore[reportReturnType]


def fused_forward(network: torch.nn.Module) -> torch.nn.Module:
    """The network itself, its decoder's blocks and its encoder's paddings computed the short way.

    Modules that are not of the known kinds are left as they are.
    """
    for module in network.modules():
        if type(module).__name__ == "UnetDecoderBlock" and _is_plain(module):
            module.forward = MethodType(_decoder_block, module)  # type: ignore[method-assign]
        elif type(module).__name__ == "Conv2dStaticSamePadding":
            _fold_padding(module)
    return network


def _is_plain(block: torch.nn.Module) -> bool:
    """True where a block is nearest upsampling, then convolutions of 3 x 3 without bias or attention."""
    convolution: Any = block.conv1[0]  # type: ignore[index]
    return (
        getattr(block, "interpolation_mode", None) == "nearest"
        and isinstance(convolution, torch.nn.Conv2d)
        and convolution.kernel_size == (3, 3)
        and convolution.bias is None
        and type(block.attention1.attention).__name__ == "Identity"  # type: ignore[union-attr]
    )


def _decoder_block(
    self: Any,
    feature_map: torch.Tensor,
    target_height: int,
    target_width: int,
    skip_connection: torch.Tensor | None = None,
) -> torch.Tensor:
    """`UnetDecoderBlock.forward`; a size that is no double takes the long way."""
    if (target_height, target_width) != (2 * feature_map.shape[2], 2 * feature_map.shape[3]):
        return type(self).forward(self, feature_map, target_height, target_width, skip_connection)
    kernel, own = self.conv1[0].weight, feature_map.shape[1]
    summed = convolved_after_doubling(feature_map, kernel[:, :own])
    if skip_connection is not None:
        summed = summed + F.conv2d(skip_connection, kernel[:, own:], padding=1)
    return self.attention2(self.conv2(self.conv1[2](self.conv1[1](summed))))


def _fold_padding(convolution: Any) -> None:
    """Lets the convolution pad by itself where its padding is the same on all sides: one copy less."""
    padding = getattr(convolution.static_padding, "padding", None)
    if padding is not None and len(set(padding)) == 1 and tuple(convolution.padding) == (0, 0):
        convolution.padding = (padding[0], padding[0])
        convolution.static_padding = torch.nn.Identity()
