"""Small pictures of a whole study: some axial slices, and one coronal plane."""

from dataclasses import asdict, dataclass

import numpy as np

from chestct.labels import LESIONS, Label
from ml_backend.page.scan.kept_study import KeptStudy, StudyFacts, write_packed
from ml_backend.page.scan.record import write_json

_MOST_AXIAL = 24
_LONGEST_SIDE = 96
_LONGEST_CORONAL = 512
# A plane of fewer slices is a line.
_FEWEST_FOR_CORONAL = 5


@dataclass(frozen=True)
class Overview:
    """Shapes of the packed pictures; pixels and labels lie beside as `axial-*.gz` and `coronal-*.gz`.

    Args:
        axial_slices: slice index of each small picture.
        axial_size: (H, W) that all of them share (smaller pictures lie in its upper left corner).
        coronal_size: (slices, columns) of the coronal plane as stored, None without geometry or with a
            handful of slices.
        coronal_row: the row of the slices through which the plane runs.
        coronal_aspect: height of the plane / its width, in millimetres.
        coronal_flipped: True where the head is at the last slice, so the plane is drawn upside down.
    """

    axial_slices: tuple[int, ...]
    axial_size: tuple[int, int]
    coronal_size: tuple[int, int] | None = None
    coronal_row: int = 0
    coronal_aspect: float = 1.0
    coronal_flipped: bool = False


def keep_overview(study: KeptStudy, facts: StudyFacts) -> Overview:
    """Draws and writes the overview of a segmented study."""
    axial = np.unique(np.linspace(0, len(facts.sizes) - 1, _MOST_AXIAL).round().astype(int))
    steps = [-(-max(size) // _LONGEST_SIDE) for size in facts.sizes]
    small = [(-(-h // step), -(-w // step)) for (h, w), step in zip(facts.sizes, steps, strict=True)]
    height, width = max(small[k][0] for k in axial), max(small[k][1] for k in axial)
    darkest = -1024 if facts.is_hu else 0
    pictures = np.full((len(axial), height, width), darkest, facts.dtype)
    labels = np.zeros(pictures.shape, np.uint8)
    for place, index in enumerate(axial):
        step, (rows, columns) = steps[index], small[index]
        pictures[place, :rows, :columns] = study.pixels(index, facts)[::step, ::step]
        labels[place, :rows, :columns] = study.labels(index, facts)[::step, ::step]
    write_packed(study.folder / "axial-pixels.gz", pictures)
    write_packed(study.folder / "axial-labels.gz", labels)
    overview = Overview(tuple(map(int, axial)), (height, width))
    geometry = facts.geometry
    if geometry is not None and len(facts.sizes) >= _FEWEST_FOR_CORONAL:
        row = _most_affected_row(study, facts)
        step = -(-facts.sizes[0][1] // _LONGEST_CORONAL)
        plane = np.stack([study.pixels(k, facts)[row, ::step] for k in range(len(facts.sizes))])
        plane_labels = np.stack([study.labels(k, facts)[row, ::step] for k in range(len(facts.sizes))])
        write_packed(study.folder / "coronal-pixels.gz", plane.astype(facts.dtype))
        write_packed(study.folder / "coronal-labels.gz", plane_labels)
        between_slices, _, between_columns = geometry.spacing_mm
        overview = Overview(
            overview.axial_slices,
            overview.axial_size,
            coronal_size=(int(plane.shape[0]), int(plane.shape[1])),
            coronal_row=row,
            coronal_aspect=between_slices * len(facts.sizes) / (between_columns * facts.sizes[0][1]),
            coronal_flipped=not geometry.head_first,
        )
    write_json(study.folder / "overview.json", asdict(overview))
    return overview


def _most_affected_row(study: KeptStudy, facts: StudyFacts) -> int:
    """The row with most lesion; with most lung where there is none."""
    height = facts.sizes[0][0]
    lesion, lung = np.zeros(height, np.int64), np.zeros(height, np.int64)
    for index in range(len(facts.sizes)):
        label_map = study.labels(index, facts)
        lesion += np.isin(label_map, LESIONS).sum(axis=1)
        lung += (label_map != Label.BACKGROUND).sum(axis=1)
    if lesion.any():
        return int(lesion.argmax())
    return int(lung.argmax()) if lung.any() else height // 2
