"""Images of one series as a stack with even spacing, and how it lies in the patient."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.formats.dicom.header import Header
from chestct.geometry import Geometry

# Images closer than this lie at one place; positions are written with 1e-6 to 1e-2 mm.
_SAME_PLACE_MM = 0.01
# Of the spacing: where a slice may lie beside its even place without and with a word about it.
_UNTOLD, _TOLERATED = 0.1, 0.5
# A gap of this many spacings means that slices are missing.
_MISSING = 1.5
_TOLD_TILT_DEGREES = 1.0
# DICOM's axes grow to the left, posterior, head; ours to the right, anterior, head.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Stack:
    """Images that differ in their place along one normal only, sorted along it.

    Args:
        headers: foot to head for axial images in the usual orientation (right-handed normal).
        places_mm: projection of each position on the normal.
    """

    headers: tuple[Header, ...]
    places_mm: tuple[float, ...]

    @property
    def extent_mm(self) -> float:
        """From the first to the last image."""
        return self.places_mm[-1] - self.places_mm[0]

    @property
    def axial(self) -> bool:
        """Whether the images are cross-sections; a gantry tilts by 30 degrees at most."""
        return abs(float(_normal(self.headers[0])[2])) > np.cos(np.radians(35))


def sorted_stack(headers: list[Header]) -> Stack:
    """The images in the order of their place, whatever their names and numbers say."""
    normal = _normal(headers[0])
    placed = sorted(
        ((float(np.dot(_position(header), normal)), header) for header in headers),
        key=lambda one: (round(one[0] / _SAME_PLACE_MM), one[1].instance_number, one[1].path),
    )
    return Stack(tuple(header for _, header in placed), tuple(place for place, _ in placed))


def doubles(stack: Stack) -> list[tuple[int, int]]:
    """Pairs of neighbours that lie at one place."""
    gaps = np.diff(stack.places_mm)
    return [(int(index), int(index) + 1) for index in np.flatnonzero(gaps < _SAME_PLACE_MM)]


def without(stack: Stack, dropped: set[int]) -> Stack:
    """The stack less the images of these indices."""
    kept = [index for index in range(len(stack.headers)) if index not in dropped]
    return Stack(
        tuple(stack.headers[index] for index in kept), tuple(stack.places_mm[index] for index in kept)
    )


def stack_geometry(stack: Stack) -> tuple[Geometry, list[str]]:
    """Geometry of the stored array (columns, rows, images), and what the user should know of it.

    The step between images comes from their positions, so a tilted gantry gives a sheared affine.

    Raises:
        InputError: slices are missing or unevenly spaced, or the tags give no grid.
    """
    first, notes = stack.headers[0], []
    along_row, along_column = _cosines(first)
    between_rows, between_columns = first.spacing_mm or (0.0, 0.0)
    if len(stack.headers) > 1:
        notes += _even_or_error(stack)
        last = _position(stack.headers[-1])
        step = (last - _position(first)) / (len(stack.headers) - 1)
        notes += _tilt(step, _normal(first))
    else:
        thickness = first.thickness_mm
        if thickness is None:
            notes.append("the only slice names no thickness: 1 mm is assumed, volumes in ml mean nothing")
        step = _normal(first) * (thickness or 1.0)
    affine = np.eye(4)
    lps = np.column_stack([along_row * between_columns, along_column * between_rows, step])
    affine[:3, :3] = _LPS_TO_RAS @ lps
    affine[:3, 3] = _LPS_TO_RAS @ _position(first)
    rows, columns = first.size
    try:
        return Geometry((columns, rows, len(stack.headers)), affine), notes
    except InputError as error:
        raise InputError(first.path, f"its {error.source} {error.reason}") from error


def _even_or_error(stack: Stack) -> list[str]:
    gaps = np.diff(stack.places_mm)
    usual = float(np.median(gaps))
    if gaps.max() > _MISSING * usual:
        widest = int(gaps.argmax())
        missing = int(np.rint(gaps[gaps > _MISSING * usual] / usual - 1).sum())
        raise InputError(
            stack.headers[0].path.parent,
            f"lacks about {missing} slices of its series: {gaps.max():.2f} mm lie between "
            f"{stack.headers[widest].path.name} and {stack.headers[widest + 1].path.name}, {usual:.2f} mm "
            "between others; export the whole series again",
        )
    even = np.linspace(stack.places_mm[0], stack.places_mm[-1], len(stack.places_mm))
    off = float(np.abs(np.asarray(stack.places_mm) - even).max()) / usual
    spacings = f"{gaps.min():.2f} to {gaps.max():.2f} mm"
    if off > _TOLERATED:
        raise InputError(
            stack.headers[0].path.parent,
            f"holds a series whose slices lie {spacings} apart; expected even spacing, resample the series",
        )
    return [f"slices lie {spacings} apart, an even spacing is assumed"] if off > _UNTOLD else []


def _tilt(step: npt.NDArray[np.float64], normal: npt.NDArray[np.float64]) -> list[str]:
    cosine = float(np.clip(np.dot(step, normal) / np.linalg.norm(step), -1, 1))
    degrees = float(np.degrees(np.arccos(cosine)))
    return [f"the gantry was tilted by {degrees:.0f} degrees"] if degrees > _TOLD_TILT_DEGREES else []


def _cosines(header: Header) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    numbers = np.asarray(header.orientation, dtype=np.float64)
    return numbers[:3], numbers[3:]


def _normal(header: Header) -> npt.NDArray[np.float64]:
    along_row, along_column = _cosines(header)
    return np.asarray(np.cross(along_row, along_column), dtype=np.float64)


def _position(header: Header) -> npt.NDArray[np.float64]:
    return np.asarray(header.position_mm, dtype=np.float64)
