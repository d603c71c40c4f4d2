"""What there is to segment, and where each result belongs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chestct.errors import InputError
from chestct.formats.covid_ct_seg import is_covid_ct_seg
from chestct.formats.folders import visible
from chestct.formats.images import is_mask_name, is_picture_name
from chestct.formats.medseg import is_medseg
from chestct.formats.mosmed import is_mosmed
from chestct.formats.nifti import is_nifti_name, nifti_stem

# In these data sets the masks are pictures too, in folders beside the slices.
_SLICES_OF_DATA_SET = ((is_covid_ct_seg, "*/ct"), (is_medseg, "image"), (is_mosmed, "studies"))
_MASK_FOLDERS = frozenset({"mask", "masks", "label", "labels"})
# Said of each kind in a folder, where nothing else tells the user that they were passed over.
_NOT_READ = {".dcm": "DICOM", ".npy": "NumPy arrays", ".zip": "archives"}


@dataclass(frozen=True)
class SegmentInput:
    """One file.

    Args:
        path: the file; or a folder whose files cannot be read, with `error`.
        stem: its results' path below the output folder, without ending ("case-1/000").
        error: why it cannot be segmented, None where nothing is known against it yet.
    """

    path: Path
    stem: Path
    error: str | None = None


def find_inputs(paths: Sequence[Path], out: Path) -> list[SegmentInput]:
    """Every picture and volume of the paths; nothing is opened.

    Results of an earlier run are passed over, also where they lie among the inputs. No input's results
    overwrite another's.

    Args:
        paths: files, taken whatever their names, and folders, walked without hidden files and masks.
        out: where the results will go.
    """
    found: list[SegmentInput] = []
    for path in paths:
        if path.is_dir():
            below = list(_walk(path, path, out.resolve(), set()))
            nothing = "holds no picture (.png, .jpg) and no volume (.nii, .nii.gz)"
            found += below or [SegmentInput(path, Path(path.name), nothing)]
        else:
            reason = None if path.exists() else "does not exist"
            found.append(SegmentInput(path, Path(_stem(path)), reason))
    return list(_without_same_results(found))


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
            if entry.name.lower() not in _MASK_FOLDERS:
                yield from _walk(entry, root, out, seen)
        elif (is_picture_name(entry) or is_nifti_name(entry)) and not is_mask_name(entry):
            yield SegmentInput(entry, here / _stem(entry))
    for suffix, kind in _NOT_READ.items():
        count = sum(entry.suffix.lower() == suffix for entry in entries)
        if count:
            yield SegmentInput(folder, here / suffix, f"holds {count} files of a kind not read yet: {kind}")


def _stem(path: Path) -> str:
    return nifti_stem(path) if is_nifti_name(path) else path.stem


def _without_same_results(found: list[SegmentInput]) -> Iterator[SegmentInput]:
    """`a.jpg` beside `a.png` keeps its ending in the results' names; the same name twice is an error."""
    taken: dict[Path, Path] = {}
    files: set[Path] = set()
    for one in found:
        file = one.path.resolve()
        if one.error is not None:
            yield one
        elif file not in files:
            files.add(file)
            stem = one.stem if one.stem not in taken else one.stem.with_name(one.path.name)
            other = taken.setdefault(stem, one.path)
            reason = f"would get the same results as {other}; segment it into another --out"
            yield SegmentInput(one.path, stem, None if other == one.path else reason)
