"""Where a study's radiological view lies on the frames of its DICOM series.

A reader may store and turn a series as it likes: what counts is where voxels lie in the patient, so
the way back to the frames is worked out from the affine and the headers alone.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from chestct.errors import InputError
from chestct.geometry import Geometry

# DICOM's patient axes are LPS+, ours RAS+.
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def sorted_along_slices(headers: Sequence[Dataset]) -> list[Dataset]:
    """Instances in the order of their position along the normal of the slices."""
    across, down = _directions(headers[0])
    normal = np.cross(across, down)
    return sorted(headers, key=lambda header: float(normal @ _position(header)))


def frames_affine(headers: Sequence[Dataset], geometry: Geometry) -> npt.NDArray[np.float64]:
    """(4, 4) from (column, row, frame) of sorted instances to RAS+ millimetres."""
    first, last = headers[0], headers[-1]
    across, down = _directions(first)
    between_rows, between_columns = (float(value) for value in first.PixelSpacing)
    if len(headers) > 1:
        along = (_position(last) - _position(first)) / (len(headers) - 1)
    else:
        normal = np.cross(across, down)
        # One frame has no neighbour: its thickness is what the study's own affine says.
        along = (
            normal
            / np.linalg.norm(normal)
            * np.linalg.norm(geometry.affine[:3, :3], axis=0)[
                np.argmax(np.abs((normal * _LPS_TO_RAS) @ _unit_columns(geometry)))
            ]
        )
    affine = np.eye(4)
    affine[:3, :3] = (np.stack([across * between_columns, down * between_rows, along]) * _LPS_TO_RAS).T
    affine[:3, 3] = _position(first) * _LPS_TO_RAS
    return affine


def frames_of_view(
    view: npt.NDArray[np.generic], geometry: Geometry, headers: Sequence[Dataset], source: Path | str
) -> npt.NDArray[np.generic]:
    """A volume of the view as frames of its series.

    Args:
        view: (S, H, W) in the radiological view.
        geometry: the study's.
        headers: one a frame, from `sorted_along_slices`.
        source: named in the error.
    Returns:
        (frames, rows, columns), the same voxels.
    Raises:
        InputError: the study's voxels are not the series' pixels.
    """
    first = headers[0]
    shape = (int(first.Columns), int(first.Rows), len(headers))
    to_frames = np.linalg.inv(frames_affine(headers, geometry)) @ geometry.affine
    turn = np.rint(to_frames[:3, :3])
    axes = np.abs(turn).argmax(axis=1)  # which stored axis runs along columns, rows and frames
    if sorted(axes.tolist()) != [0, 1, 2] or np.abs(turn).sum() != 3:
        raise InputError(source, "does not lie along the rows, columns and frames of its DICOM series")
    voxels = tuple(geometry.stored_shape[axis] for axis in axes)
    if voxels != shape:
        raise InputError(
            source, f"has {voxels} voxels along columns, rows and frames, its DICOM series {shape}"
        )
    backward = [bool(turn[frame_axis, axis] < 0) for frame_axis, axis in enumerate(axes)]
    exact = np.eye(4)
    exact[:3, :3] = turn
    exact[:3, 3] = [length - 1 if flipped else 0 for length, flipped in zip(shape, backward, strict=True)]
    far = [length - 1 for length in geometry.stored_shape]
    corners = np.array([[i, j, k, 1] for i in (0, far[0]) for j in (0, far[1]) for k in (0, far[2])], float)
    apart = np.abs(corners @ (to_frames - exact).T).max()
    if apart > 0.5:
        raise InputError(source, f"lies up to {apart:.1f} pixels beside its DICOM series; they must agree")
    stored = np.transpose(geometry.to_stored(view), axes)
    turned = np.flip(stored, [axis for axis, flipped in enumerate(backward) if flipped])
    return np.ascontiguousarray(np.transpose(turned, (2, 1, 0)))


def _directions(header: Dataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Unit vectors (LPS) along which columns and rows grow."""
    values = np.array([float(value) for value in header.ImageOrientationPatient])
    return values[:3], values[3:]


def _position(header: Dataset) -> npt.NDArray[np.float64]:
    return np.array([float(value) for value in header.ImagePositionPatient])


def _unit_columns(geometry: Geometry) -> npt.NDArray[np.float64]:
    columns = geometry.affine[:3, :3]
    return columns / np.linalg.norm(columns, axis=0)
