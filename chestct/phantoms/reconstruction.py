"""What reconstruction does to a slice: noise of the scanner, and the kernel's edges."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from chestct.phantoms.grid import FIELD_OF_VIEW_MM, Plane
from chestct.phantoms.look import Look


@dataclass(frozen=True, eq=False)
class Noise:
    """A few planes of noise, shifted anew for each slice: drawing fresh ones is the slowest step."""

    scanner: list[Plane]
    texture: list[Plane]

    @classmethod
    def drawn(cls, rng: np.random.Generator, side: int, look: Look, planes: int = 4) -> "Noise":
        white = rng.standard_normal((planes, side, side), dtype=np.float32)
        # A smoothing kernel correlates neighbours, as reconstruction does; lung is mottled by itself.
        smooth = [ndimage.uniform_filter(plane, 3, mode="wrap") for plane in white]
        sharp_hu, soft_hu = look.noise_hu
        scanner = [sharp_hu * sharp + soft_hu * soft for sharp, soft in zip(white, smooth, strict=True)]
        if look.blotches_hu:
            scanner = [plane + look.blotches_hu * _blotches(rng, side) for plane in scanner]
        return cls(scanner, [40.0 * soft for soft in smooth])

    def add_to(self, picture: Plane, share: Plane, rng: np.random.Generator) -> Plane:
        """A slice with scanner noise everywhere and fine texture in the lungs."""
        plane = rng.integers(len(self.scanner))
        shift = tuple(rng.integers(len(picture), size=2))
        scanner, texture = (np.roll(kind[plane], shift, (0, 1)) for kind in (self.scanner, self.texture))
        return picture + scanner + share * texture


def sharpened(picture: Plane, gain: float, side: int) -> Plane:
    """Edges raised as a sharp lung kernel raises them: unsharp masking over 1.4 mm."""
    sigma = 1.4 * side / FIELD_OF_VIEW_MM
    return picture + np.float32(gain) * (picture - ndimage.gaussian_filter(picture, sigma))


def _blotches(rng: np.random.Generator, side: int) -> Plane:
    """(H, W) noise of deviation 1 whose grains are some 6 mm wide."""
    white = rng.standard_normal((side, side), dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, 2.5 * side / FIELD_OF_VIEW_MM, mode="wrap")
    return smooth / (smooth.std() + np.float32(1e-6))
