"""Label maps as DICOM SEG (binary), placed on the instances that a study was read from.

Segments are numbered as Label: 1 ground-glass, 2 consolidation, 3 lung (described only where it occurs).

Source: DICOM PS3.3 A.51 (Segmentation IOD); docs/adr/0014-dicom-seg.md for what is written and why.
"""

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.seg.enum import SegmentAlgorithmTypeValues
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from chestct.dicom_source import require_place
from chestct.errors import InputError
from chestct.files import atomic_file, writing
from chestct.formats.dicom_frames import frames_of_view, sorted_along_slices
from chestct.geometry import Geometry
from chestct.labels import BRUSH_LABEL_NAMES, COLOURS_RGB, Label

# pydicom 3.0.2's dictionaries hold no code for consolidation; this is SNOMED CT's.
_LUNG_CONSOLIDATION = Code("95436008", "SCT", "Lung consolidation")
_PROPERTIES = {
    Label.GROUND_GLASS: (codes.SCT.MorphologicallyAbnormalStructure, codes.DCM.GroundGlassOpacity),
    Label.CONSOLIDATION: (codes.SCT.MorphologicallyAbnormalStructure, _LUNG_CONSOLIDATION),
    Label.LUNG: (codes.SCT.AnatomicalStructure, codes.SCT.Lung),
}
# High enough to lie behind the series of a scanner.
_SERIES_NUMBER = 900
# Type 2: must be there, may be empty; de-identified files often lack them.
_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber",
)  # fmt: skip


@dataclass(frozen=True)
class MadeBy:
    """Who drew the segments.

    Args:
        algorithm: AUTOMATIC (a model), SEMIAUTOMATIC (a reader corrected a model's) or MANUAL.
        model_versions: the models whose masks it rests on; empty for MANUAL.
    """

    algorithm: SegmentAlgorithmTypeValues
    model_versions: tuple[str, ...] = ()

    @classmethod
    def model(cls, model_version: str) -> "MadeBy":
        """Nobody has looked at it."""
        return cls(SegmentAlgorithmTypeValues.AUTOMATIC, (model_version,))

    @classmethod
    def readers(cls, started_from: Collection[str]) -> "MadeBy":
        """Drawn or corrected by people.

        Args:
            started_from: versions of the pre-labels they corrected; empty where all was drawn by hand.
        """
        if not started_from:
            return cls(SegmentAlgorithmTypeValues.MANUAL)
        return cls(SegmentAlgorithmTypeValues.SEMIAUTOMATIC, tuple(sorted(set(started_from))))


def write_dicom_seg(
    path: Path,
    view: npt.NDArray[np.uint8],
    geometry: Geometry,
    headers: Sequence[Dataset],
    made_by: MadeBy,
    looked_at: Collection[int] | None = None,
) -> None:
    """One DICOM SEG of a study, pixel for pixel on its source instances.

    Args:
        path: the file to make; written atomically.
        view: (S, H, W) uint8 values of Label, radiological view.
        geometry: the study's.
        headers: of all source instances, from `dicom_source.read_headers`, in any order.
        made_by: a model or readers.
        looked_at: slices of the view that were looked at; their frames are written even where nothing
            was marked, all others are left out. None: every slice was, and empty frames are left out.
    Raises:
        InputError: the headers are not those of this study, lack what a result must refer to, or the
            label map does not fit.
    """
    require_place(headers, path)
    if view.shape != geometry.view_shape or view.dtype != np.uint8 or view.max() > max(Label):
        raise InputError(
            path,
            f"would get a {view.dtype} label map of {view.shape} up to {view.max()}; expected uint8 of "
            f"{geometry.view_shape} with the values 0 to {int(max(Label))}",
        )
    ordered = sorted_along_slices(headers)
    frames = frames_of_view(view, geometry, ordered, path)
    chosen = list(range(len(ordered)))
    if looked_at is not None:
        marked = np.zeros(view.shape, np.bool_)
        marked[sorted(looked_at)] = True
        chosen = np.flatnonzero(frames_of_view(marked, geometry, ordered, path).any(axis=(1, 2))).tolist()
    if not chosen:
        raise InputError(path, "would get no frame: no slice was looked at")
    segmentation = _segmentation(
        [_completed(ordered[index], geometry) for index in chosen],
        frames[chosen].astype(np.uint8),
        made_by,
        omit_empty_frames=looked_at is None,
    )
    with writing(path), atomic_file(path, durable=False) as file:
        segmentation.save_as(file)


def _segmentation(
    sources: list[Dataset], frames: npt.NDArray[np.uint8], made_by: MadeBy, *, omit_empty_frames: bool
) -> Segmentation:
    software = version("lungloop")
    described = [label for label in _PROPERTIES if label != Label.LUNG or (frames == label).any()]
    with warnings.catch_warnings():
        # Pseudonyms have no "family^given"; the name must stay the source's, letter for letter.
        warnings.filterwarnings("ignore", message=".*unlikely to represent the intended person name.*")
        return Segmentation(
            source_images=sources,
            pixel_array=frames,
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[_description(label, made_by, software) for label in described],
            series_instance_uid=hd.UID(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="LungLoop",
            manufacturer_model_name="LungLoop",
            software_versions=software,
            device_serial_number=software,
            content_label="LUNG_FINDINGS",
            content_description="Research use only, not a medical device",
            series_description=f"Lung findings ({made_by.algorithm.value.lower()})",
            omit_empty_frames=omit_empty_frames,
        )


def _description(label: Label, made_by: MadeBy, software: str) -> SegmentDescription:
    category, kind = _PROPERTIES[label]
    identification = None
    if made_by.algorithm is not SegmentAlgorithmTypeValues.MANUAL:
        identification = hd.AlgorithmIdentificationSequence(
            name=f"LungLoop {software}",
            family=codes.DCM.ArtificialIntelligence,
            # A long string (LO) holds 64 characters.
            version=", ".join(made_by.model_versions)[:64],
        )
    return SegmentDescription(
        segment_number=int(label),
        segment_label=BRUSH_LABEL_NAMES[label],
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type=made_by.algorithm,
        algorithm_identification=identification,
        anatomic_regions=None if label is Label.LUNG else [codes.SCT.Lung],
        display_color=CIELabColor.from_rgb(*COLOURS_RGB[label]),
    )


def _completed(header: Dataset, geometry: Geometry) -> Dataset:
    """A copy with what highdicom asks of every source; a value that the source lacks stays empty."""
    completed = Dataset(header)
    for keyword in _MAY_BE_EMPTY:
        if keyword not in completed:
            setattr(completed, keyword, None)
    if not completed.get("SliceThickness"):
        completed.SliceThickness = f"{geometry.spacing_mm[0]:.6g}"
    if "Modality" not in completed:
        completed.Modality = "CT"
    return completed
