"""One study of a scan on disk: its slices as a browser takes them, and what was found in them.

A slice is one gzip file of raw pixels, little-endian, row by row: int16 HU or uint8 grey levels, and
uint8 for label maps and uncertainty maps. Browsers unpack it themselves and window it on the spot, so that
scrolling and a new window need no further request.
"""

import gzip
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from chestct.files import write_atomic
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.severity.cautions import Caution, CautionKind
from chestct.study import Study
from ml_backend.page.scan.record import read_json, write_json

# Pixels are noise to gzip: higher levels cost seconds and gain little.
_LEVEL = 1
PIXELS, LABELS, UNCERTAINTY = "pixels", "labels", "doubt"
# The label map with the study's own geometry, as `lungloop segment` writes it.
LABEL_FILE = "label.nii.gz"


@dataclass(frozen=True)
class StudyFacts:
    """What a study is, apart from its pixels.

    Args:
        name: for people, as the sender calls it.
        stem: of result files, without ending; safe in any file system.
        kind: "image" (one picture without a place in a patient) or "study".
        intensity: what the pixels mean.
        sizes: (H, W) of each slice.
        slice_names: file names of pictures; empty for volumes.
        stored_shape, affine: of the Geometry; None where there is none.
        notes: what the reader of the format has to tell (which series was chosen, for example).
    """

    name: str
    stem: str
    kind: str
    intensity: Intensity
    sizes: tuple[tuple[int, int], ...]
    slice_names: tuple[str, ...] = ()
    stored_shape: tuple[int, int, int] | None = None
    affine: tuple[tuple[float, ...], ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def geometry(self) -> Geometry | None:
        """How the study lies in the patient."""
        if self.stored_shape is None or self.affine is None:
            return None
        return Geometry(self.stored_shape, np.array(self.affine, dtype=np.float64))

    @property
    def slices_apart_mm(self) -> float | None:
        """Distance between neighbouring slices; None for loose pictures, which have no neighbours."""
        geometry = self.geometry
        return geometry.spacing_mm[0] if geometry is not None and len(self.sizes) > 1 else None

    @property
    def is_hu(self) -> bool:
        """Whether the pixels are Hounsfield units, so that a window can be chosen."""
        return self.intensity is Intensity.HU

    def slice_name(self, index: int) -> str:
        """A slice's own file name where it has one."""
        return self.slice_names[index] if index < len(self.slice_names) else ""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels, on disk and in the browser."""
        return np.dtype("<i2" if self.is_hu else "u1")


@dataclass(frozen=True)
class Findings:
    """What a model found in a study.

    Args:
        model_version: whose label maps.
        slices, study: `right`, `left` and `whole` -> percent of that lung that is `ground_glass`,
            `consolidation` and `both`; None where that lung is absent.
        lesion_pixels: of each slice; a share alone would lead to slices with hardly any lung.
        severity: as `chestct.severity.grading.Severity.as_dict`; None where no grade can be given.
        doubt_sizes: (h, w) of each slice's uncertainty map; None for a slice whose model tells none.
        cautions: of the severity; None where only the sentences in `severity` are kept.
    """

    model_version: str
    slices: tuple[dict[str, Any], ...]
    study: dict[str, Any]
    lesion_pixels: tuple[int, ...]
    severity: dict[str, Any] | None
    doubt_sizes: tuple[tuple[int, int] | None, ...] = ()
    cautions: tuple[Caution, ...] | None = None

    @property
    def tells_uncertainty(self) -> bool:
        """Whether there is an uncertainty map of any slice."""
        return any(self.doubt_sizes)


@dataclass(frozen=True)
class KeptStudy:
    """A study's folder, `studies/<number>` of a scan."""

    folder: Path

    def keep(self, study: Study, name: str, stem: str, notes: tuple[str, ...] = ()) -> StudyFacts:
        """Writes the slices and the facts; the facts last, so that they stand for a whole study."""
        for what in (PIXELS, LABELS, UNCERTAINTY):
            (self.folder / what).mkdir(parents=True, exist_ok=True)
        geometry = study.geometry
        single_picture = geometry is None and len(study.slices) == 1
        facts = StudyFacts(
            name=name,
            stem=stem,
            kind="image" if single_picture else "study",
            intensity=study.intensity,
            sizes=tuple((int(pixels.shape[0]), int(pixels.shape[1])) for pixels in study.slices),
            slice_names=study.slice_names,
            stored_shape=geometry.stored_shape if geometry else None,
            affine=tuple(tuple(map(float, row)) for row in geometry.affine) if geometry else None,
            notes=notes,
        )
        for index, pixels in enumerate(study.slices):
            self.write(PIXELS, index, np.asarray(pixels, dtype=facts.dtype))
        write_json(self.folder / "facts.json", asdict(facts))
        return facts

    def facts(self) -> StudyFacts:
        """What the study is.

        Raises:
            FileNotFoundError: the scan was deleted.
        """
        stored = read_json(self.folder / "facts.json")
        if stored is None:
            raise FileNotFoundError(self.folder)
        shape, affine = stored["stored_shape"], stored["affine"]
        return StudyFacts(
            **{
                **stored,
                "intensity": Intensity(stored["intensity"]),
                "sizes": tuple((height, width) for height, width in stored["sizes"]),
                "slice_names": tuple(stored["slice_names"]),
                "stored_shape": tuple(shape) if shape else None,
                "affine": tuple(tuple(row) for row in affine) if affine else None,
                "notes": tuple(stored["notes"]),
            }
        )

    def path(self, what: str, index: int) -> Path:
        """The gzip file of a slice's PIXELS, LABELS or UNCERTAINTY."""
        return self.folder / what / f"{index:05d}.gz"

    def write(self, what: str, index: int, pixels: npt.NDArray[np.generic]) -> None:
        """Keeps the same."""
        write_packed(self.path(what, index), pixels)

    def pixels(self, index: int, facts: StudyFacts) -> npt.NDArray[np.generic]:
        """(H, W) int16 HU or uint8 grey levels of a slice."""
        pixels = self._read(PIXELS, index, facts.sizes[index], facts.dtype)
        return pixels.astype(facts.dtype.newbyteorder("="))

    def labels(self, index: int, facts: StudyFacts) -> npt.NDArray[np.uint8]:
        """(H, W) uint8 values of Label of a slice."""
        return self._read(LABELS, index, facts.sizes[index])

    def uncertainty(self, index: int, findings: Findings) -> npt.NDArray[np.uint8] | None:
        """(h, w) uint8 uncertainty map of a slice, as of a SlicePrediction; None where there is none."""
        size = findings.doubt_sizes[index] if index < len(findings.doubt_sizes) else None
        return None if size is None else self._read(UNCERTAINTY, index, size)

    def _read(
        self, what: str, index: int, size: tuple[int, int], dtype: npt.DTypeLike = np.uint8
    ) -> npt.NDArray[Any]:
        raw = gzip.decompress(self.path(what, index).read_bytes())
        return np.frombuffer(raw, dtype).reshape(size)

    def keep_findings(self, findings: Findings) -> None:
        """Writes what was found; from now on the study counts as segmented."""
        write_json(self.folder / "findings.json", asdict(findings))

    def findings(self) -> Findings | None:
        """What was found; None while it is not segmented."""
        stored = read_json(self.folder / "findings.json")
        if stored is None:
            return None
        # An earlier version kept no cautions, only their sentences in the severity.
        cautions = stored.get("cautions")
        return Findings(
            **{
                **stored,
                "slices": tuple(stored["slices"]),
                "lesion_pixels": tuple(stored["lesion_pixels"]),
                "doubt_sizes": tuple(size and tuple(size) for size in stored.get("doubt_sizes", ())),
                "cautions": cautions
                and tuple(Caution(CautionKind(each["kind"]), each["values"]) for each in cautions),
            }
        )


def numbered_study(folder: Path, number: int) -> KeptStudy:
    """The study of that number in a scan's folder, counted from 1."""
    return KeptStudy(folder / "studies" / f"{number:04d}")


def write_packed(path: Path, pixels: npt.NDArray[np.generic]) -> None:
    """Raw pixels as one gzip file, whole or not there."""
    packed = gzip.compress(np.ascontiguousarray(pixels).tobytes(), _LEVEL, mtime=0)
    write_atomic(path, packed, durable=False)


class KeptSlices(Sequence[npt.NDArray[np.generic]]):
    """The pixels of a kept study, each read when it is asked for."""

    def __init__(self, study: KeptStudy, facts: StudyFacts) -> None:
        self._study, self._facts = study, facts

    def __len__(self) -> int:
        return len(self._facts.sizes)

    @overload
    def __getitem__(self, index: int) -> npt.NDArray[np.generic]: ...
    @overload
    def __getitem__(self, index: slice) -> list[npt.NDArray[np.generic]]: ...
    def __getitem__(self, index: int | slice) -> npt.NDArray[np.generic] | list[npt.NDArray[np.generic]]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._study.pixels(index, self._facts)
