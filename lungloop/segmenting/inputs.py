"""What there is to segment, and where each result belongs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chestct.errors import InputError
from chestct.formats.archives import is_archive_name
from chestct.formats.covid_ct_seg import is_covid_ct_seg
from chestct.formats.dicom import DicomStudy, dicom_files_below, find_dicom_studies, is_dicom
from chestct.formats.folders import MASK_FOLDERS, visible
from chestct.formats.images import is_mask_name, is_picture_name
from chestct.formats.kaggle import is_array_name, is_mask_array_name
from chestct.formats.medseg import is_medseg
from chestct.formats.mosmed import is_mosmed
from chestct.formats.nifti import is_nifti_name, nifti_stem

# In these data sets the masks are pictures too, in folders beside the slices.
_SLICES_OF_DATA_SET = ((is_covid_ct_seg, "*/ct"), (is_medseg, "image"), (is_mosmed, "studies"))
_NOTHING = (
    "holds no picture (.png, .jpg, .tif), volume (.nii, .nii.gz), DICOM, array (.npy) or archive (.zip)"
)


@dataclass(frozen=True)
class SegmentInput:
    """One file, or the files of one DICOM study.

    Args:
        path: the file, or the folder of a DICOM study; or what cannot be read, with `error`.
        stem: its results' path below the output folder, without ending ("case-1/000").
        error: why it cannot be segmented, None where nothing is known against it yet.
        dicom: the study that was found in a folder; None for files.
    """

    path: Path
    stem: Path
    error: str | None = None
    dicom: DicomStudy | None = None


def find_inputs(paths: Sequence[Path], out: Path) -> list[SegmentInput]:
    """Every picture, volume, archive and DICOM study of the paths; no pixels are read.

    A DICOM study is named after the folder that holds its files. Results of an earlier run are passed
    over, also where they lie among the inputs. No input's results overwrite another's.

    Args:
        paths: files, taken whatever their names, and folders, walked without hidden files and masks.
        out: where the results will go.
    """
    found: list[SegmentInput] = []
    # `*.dcm` names the files of one study one by one.
    dicom = [path for path in paths if is_dicom(path)]
    for path in paths:
        if path.is_dir():
            below = [*_dicom_studies(dicom_files_below(path), path), *_walk(path, path, out.resolve(), set())]
            found += below or [SegmentInput(path, Path(path.name), _NOTHING)]
        elif path in dicom:
            found += _dicom_studies(dicom, path.parent) if path == dicom[0] else []
        else:
            reason = None if path.exists() else "does not exist"
            found.append(SegmentInput(path, Path(_stem(path)), reason))
    return list(_without_same_results(found))


def _dicom_studies(files: Sequence[Path], root: Path) -> Iterator[SegmentInput]:
    """`case-1` for the study in case-1/; studies that share a folder get their own names in it."""
    found = list(find_dicom_studies(files, root))
    sources = [one.source for one in found if isinstance(one, DicomStudy)]
    for one in found:
        here = one.source.relative_to(root) if one.source.is_relative_to(root) else Path()
        stem = here.with_suffix("") if one.source.is_file() else here
        if not stem.name:
            stem = Path(root.resolve().name)
        if isinstance(one, DicomStudy):
            yield SegmentInput(
                one.source, stem / one.name if sources.count(one.source) > 1 else stem, dicom=one
            )
        else:
            yield SegmentInput(one.source, stem, one.reason)


def _walk(folder: Path, root: Path, out: Path, seen: set[Path]) -> Iterator[SegmentInput]:
    """Links in a circle are entered once."""
    real = folder.resolve()
    if real in seen or (real == out and folder != root):
        return
    seen.add(real)
    here = folder.relative_to(root)
    try:
        data_set = next((slices for matches, slices in _SLICES_OF_DATA_SET if matches(folder)), None)
        entries = visible(folder)
    except InputError as error:
        yield SegmentInput(folder, here, error.reason)
        return
    if data_set is not None:
        for below in sorted(folder.glob(data_set)):
            yield from _walk(below, root, out, seen)
        return
    for entry in entries:
        if entry.is_dir():
            if entry.name.lower() not in MASK_FOLDERS:
                yield from _walk(entry, root, out, seen)
        elif (is_picture_name(entry) or is_nifti_name(entry) or is_archive_name(entry)) and not is_mask_name(
            entry
        ):
            yield SegmentInput(entry, here / _stem(entry))


def _is_input_name(path: Path) -> bool:
    named = (is_picture_name, is_nifti_name, is_archive_name, is_array_name)
    return any(one(path) for one in named) and not (is_mask_name(path) or is_mask_array_name(path))


def _stem(path: Path) -> str:
    return nifti_stem(path) if is_nifti_name(path) else path.stem


def _without_same_results(found: list[SegmentInput]) -> Iterator[SegmentInput]:
    """`a.jpg` beside `a.png` keeps its ending in the results' names; the same name twice is an error."""
    taken: dict[Path, Path] = {}
    files: set[Path] = set()
    for one in found:
        # Several studies may lie in one folder; what tells them apart is their first file.
        file = (one.dicom.files[0] if one.dicom else one.path).resolve()
        if one.error is not None:
            yield one
        elif file not in files:
            files.add(file)
            stem = one.stem if one.stem not in taken else one.stem.with_name(one.path.name)
            other = taken.setdefault(stem, one.path)
            reason = f"would get the same results as {other}; segment it into another --out"
            yield replace(one, stem=stem, error=None if other == one.path else reason)
