"""How a volume lies in the patient, and how it is turned for a reader.

Radiological view: the reader looks from the feet, so the patient's right is on the left of the
picture and anterior is up. A view array is (S, H, W); slices keep the order in which the file
stores them along the axis nearest to head-foot.
"""

from dataclasses import dataclass

import nibabel.orientations as orientations
import numpy as np
import numpy.typing as npt

from chestct.errors import InputError

# World axes of NIfTI (RAS+): x grows to the patient's right, y to anterior, z to the head.
_LEFT_RIGHT, _POSTERIOR_ANTERIOR, _FOOT_HEAD = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Geometry:
    """The stored array's shape and affine, and the turn between it and the radiological view.

    Args:
        stored_shape: shape of the array as the file stores it, three axes.
        affine: (4, 4) float64, stored voxel index to RAS+ millimetres (nibabel's convention).
    Raises:
        InputError: the affine is singular or not finite (a spacing of zero, for example).
    """

    stored_shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        columns = np.asarray(self.affine, dtype=np.float64)[:3, :3]
        if (
            not np.isfinite(self.affine).all()
            or np.isclose(np.linalg.det(columns), 0.0, atol=1e-9)
            # Columns too unequal to span space in float64 have no orientation (nibabel gives NaN).
            or np.isnan(orientations.io_orientation(self.affine)).any()
        ):
            raise InputError(
                "affine",
                f"is {np.asarray(self.affine).tolist()}: voxels need a finite size above 0 mm on "
                "each axis; repair the header's spacing",
            )

    def _turn(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """Stored axes in the order (S, H, W), and which of H and W are flipped (S never is)."""
        nearest = orientations.io_orientation(self.affine)
        axis_of_world = {int(world): stored for stored, (world, _) in enumerate(nearest)}
        sign = {int(world): float(flip) for world, flip in nearest}
        order = (axis_of_world[_FOOT_HEAD], axis_of_world[_POSTERIOR_ANTERIOR], axis_of_world[_LEFT_RIGHT])
        # Row 0 must be anterior: flip where the index grows to anterior. Column 0 must be the
        # patient's right: RAS+ grows to the right, so flip where the index grows to the right.
        return order, (False, sign[_POSTERIOR_ANTERIOR] > 0, sign[_LEFT_RIGHT] > 0)

    @property
    def view_shape(self) -> tuple[int, int, int]:
        """(S, H, W) of the radiological view."""
        order, _ = self._turn()
        slices, rows, columns = (self.stored_shape[axis] for axis in order)
        return slices, rows, columns

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (S, H, W), from the affine, never from a tag."""
        lengths = np.linalg.norm(np.asarray(self.affine, dtype=np.float64)[:3, :3], axis=0)
        order, _ = self._turn()
        between_slices, between_rows, between_columns = (float(lengths[axis]) for axis in order)
        return between_slices, between_rows, between_columns

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel; exact for oblique affines too (the determinant)."""
        return abs(float(np.linalg.det(np.asarray(self.affine, dtype=np.float64)[:3, :3]))) / 1000.0

    @property
    def head_first(self) -> bool:
        """True where slice 0 is nearest to the head."""
        nearest = orientations.io_orientation(self.affine)
        return next(float(flip) for world, flip in nearest if int(world) == _FOOT_HEAD) < 0

    def to_view(self, stored: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Stored array to the (S, H, W) radiological view, without resampling."""
        order, flips = self._turn()
        return np.flip(np.transpose(stored, order), [axis for axis in range(3) if flips[axis]])

    def to_stored(self, view: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """The exact inverse of `to_view`."""
        order, flips = self._turn()
        turned = np.flip(view, [axis for axis in range(3) if flips[axis]])
        return np.ascontiguousarray(np.transpose(turned, np.argsort(order)))
