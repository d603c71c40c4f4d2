"""A slice in millimetres: distances to shapes, and tissues painted with soft edges."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Width and depth of every phantom's picture.
FIELD_OF_VIEW_MM = 358.4

Plane = npt.NDArray[np.floating]  # float32; arithmetic with floats of NumPy may widen it


@dataclass(frozen=True, eq=False)
class Grid:
    """Pixel centres shared by all slices: x to the patient's left, y to posterior, in mm."""

    x: Plane  # (H, W)
    y: Plane  # (H, W)
    pixel_mm: float
    from_spine: Plane  # (H, W) angle in [0, pi]: 0 posterior, pi anterior

    @classmethod
    def of(cls, side: int, pixel_mm: float, tilt: float) -> "Grid":
        """A square grid centred on the chest, turned by a few degrees as people lie."""
        along = (np.arange(side, dtype=np.float32) - (side - 1) / 2) * np.float32(pixel_mm)
        columns, rows = np.meshgrid(along, along + np.float32(8.0))
        x = (columns + np.float32(tilt) * rows).astype(np.float32)
        y = (rows - np.float32(tilt) * columns).astype(np.float32)
        return cls(x=x, y=y, pixel_mm=pixel_mm, from_spine=np.arctan2(np.abs(x), y))

    def ellipse(self, x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Plane:
        """Signed distance in mm to an ellipse, negative inside; first order, best near the edge.

        Args:
            x, y: centre.
            rx, ry: half axes.
            turn: angle of the first axis from the patient's left towards posterior.
        """
        u, v = self.x - np.float32(x), self.y - np.float32(y)
        if turn:
            cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            u, v = u * cos + v * sin, v * cos - u * sin
        u *= np.float32(1.0 / rx)
        v *= np.float32(1.0 / ry)
        rho = np.sqrt(u * u + v * v)
        u *= np.float32(1.0 / rx)
        v *= np.float32(1.0 / ry)
        return rho * (rho - np.float32(1.0)) / np.sqrt(u * u + v * v + np.float32(1e-10))

    def stadium(self, x: float, y: float, rx: float, ry: float, stretch: float) -> Plane:
        """An oval with flattened front and back, as chests are: two ellipses side by side."""
        left = self.ellipse(x + stretch, y, rx - stretch, ry)
        right = self.ellipse(x - stretch, y, rx - stretch, ry)
        return smooth_union(left, right, 0.6 * stretch)

    def inside(self, distance_mm: Plane, edge_mm: float = 0.0) -> Plane:
        """Share of each pixel inside, in [0, 1]: partial volume at the edge."""
        scale = np.float32(-1.0 / (self.pixel_mm + edge_mm))
        return np.clip(distance_mm * scale + np.float32(0.5), np.float32(0), np.float32(1))


def smooth_union(first: Plane, second: Plane, blend_mm: float) -> Plane:
    """Signed distance to two shapes that flow into one another."""
    overlap = np.maximum(np.float32(0.0), np.float32(blend_mm) - np.abs(first - second))
    return np.minimum(first, second) - overlap * overlap * np.float32(0.25 / blend_mm)


def paint(hu: Plane, share: Plane, value: float | Plane) -> None:
    """Blends a tissue over a slice, in place."""
    tissue = value if isinstance(value, np.ndarray) else np.float32(value)
    hu += share * (tissue - hu)


def enlarged(plane: Plane, side: int) -> Plane:
    """A slice interpolated linearly to `side` pixels, covering the same field of view."""
    step = side // plane.shape[0]
    if step <= 1:
        return plane
    at = (np.arange(side, dtype=np.float32) - (step - 1) / 2) / step
    low = np.clip(np.floor(at).astype(np.int64), 0, plane.shape[0] - 2)
    weight = np.clip(at - low, 0.0, 1.0).astype(np.float32)
    tall = plane[low] * (1 - weight[:, None]) + plane[low + 1] * weight[:, None]
    return tall[:, low] * (1 - weight) + tall[:, low + 1] * weight
