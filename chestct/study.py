"""A CT study: what every reader of a file gives and every part of the loop takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import SeverityGrade, Split


@dataclass(frozen=True, eq=False)
class Study:
    """One patient's CT, or a set of slices that were kept together.

    Args:
        name: unique within an import, as in the source ("study_0255").
        patient: whose it is; splits are by patient, so two studies of one patient must agree.
        slices: (H, W) arrays in the radiological view, int16 HU or uint8 grey levels; sizes
            differ only where a folder of pictures mixes them (then there is no geometry).
        intensity: what the numbers mean.
        geometry: the file's own axes; None for loose pictures.
        source: the file or folder it came from.
        partial_labels: slice index -> (H, W) uint8 sets of possible labels: the source's own masks, the
            reference labels; a slice that is absent has none.
        grade: the source's own grade of the study.
        split: where the source fixes the patient's side; None lets the catalog decide.
        slice_names: file names of pictures, for mirrors of a folder; empty for volumes.
        prelabels: slice index -> (H, W) uint8 label map made elsewhere, for a reader to correct; no
            reference.
        notes: sentences for the user: what was chosen, assumed or left out while reading.
        dicom_files: the DICOM files in the order of the stored slice axis (which is the order of
            `slices` for axial series), one file for an enhanced multi-frame CT; empty for other
            sources. Out of an archive they exist only until the iterator that gave the study goes on.
    """

    name: str
    patient: str
    slices: Sequence[npt.NDArray[np.generic]]
    intensity: Intensity
    source: Path
    geometry: Geometry | None = None
    partial_labels: Mapping[int, npt.NDArray[np.uint8]] = field(default_factory=dict)
    grade: SeverityGrade | None = None
    split: Split | None = None
    slice_names: tuple[str, ...] = ()
    prelabels: Mapping[int, npt.NDArray[np.uint8]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    dicom_files: tuple[Path, ...] = ()

    @property
    def slices_apart_mm(self) -> float | None:
        """Distance between neighbouring slices; None for loose pictures, which have no neighbours."""
        return self.geometry.spacing_mm[0] if self.geometry is not None and len(self.slices) > 1 else None


@dataclass(frozen=True)
class FailedInput:
    """An input that could not be read; the rest of the batch goes on."""

    source: Path
    reason: str
