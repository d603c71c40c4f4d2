"""Finds what there is to read in what a user points at; looks at names, tags and tables, at no pixels.

A folder that is a known data set is one source. In any other folder the DICOM files of all depths come
first, as studies by their tags; then, folder by folder, archives, NIfTI volumes, Kaggle arrays, and the
pictures of the folder as one source. Hidden files are passed over, and so are files and folders whose
names say mask, label or result (`*_mask.nii.gz`, `*.label.png`, `labels/`); a file that is named itself
is taken whatever its name.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from chestct.errors import InputError
from chestct.files import reading
from chestct.formats.archives import is_archive_name
from chestct.formats.covid_ct_seg import is_covid_ct_seg, read_covid_ct_seg
from chestct.formats.dicom import DicomStudy, dicom_files_below, find_dicom_studies, is_dicom
from chestct.formats.folders import failed, folders_below, is_mask_name
from chestct.formats.images import is_picture_name, read_image_study
from chestct.formats.kaggle import is_array_name, read_kaggle
from chestct.formats.medseg import is_medseg, read_medseg
from chestct.formats.mosmed import is_mosmed, read_mosmed
from chestct.formats.nifti import is_nifti_name, read_nifti
from chestct.study import FailedInput, Study

EXPECTED = "expected .nii.gz, .nii, .dcm, .npy, .png, .jpg, .tif or .zip files, or a folder of them"


class Kind(Enum):
    """How a source is read."""

    DICOM = auto()  # a study of a DICOM folder: `study`
    FILE = auto()  # a volume, an array or a picture: `study`
    PICTURES = auto()  # all pictures of a folder: `chestct.formats.images.read_pictures`
    ARCHIVE = auto()  # unpacked, then searched like a folder
    DATA_SET = auto()  # `data_set`
    NOTHING = auto()  # a path that is missing, or a folder without anything to read


@dataclass(frozen=True)
class DataSet:
    """A data set with a table of its own.

    Args:
        matches: whether a folder is one.
        read: its studies.
        slices: pattern of the folders below it that hold its images; its masks are pictures too.
    """

    matches: Callable[[Path], bool]
    read: Callable[[Path], Iterator[Study | FailedInput]]
    slices: str


DATA_SETS = {
    "mosmed": DataSet(is_mosmed, read_mosmed, "studies"),
    "covid-ct-seg": DataSet(is_covid_ct_seg, read_covid_ct_seg, "*/ct"),
    "medseg": DataSet(is_medseg, read_medseg, "image"),
}
# Layout -> which names it takes, and how such a file is read; in the order in which a folder is read.
_FILES: dict[str, tuple[Callable[[Path], bool], Callable[[Path], Study]]] = {
    "nifti": (is_nifti_name, read_nifti),
    "kaggle": (is_array_name, read_kaggle),
    "images": (is_picture_name, read_image_study),
}
Layout = Literal["auto", "nifti", "dicom", "kaggle", "images", "mosmed", "covid-ct-seg", "medseg"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


@dataclass(frozen=True, eq=False)
class Source:
    """Something to read, or what cannot be read.

    Args:
        path: the file, or the folder of a DICOM study, of pictures or of a data set.
        named: what the user pointed at: the same, or a folder above it.
        reason: why it cannot be read; empty where nothing is known against it yet.
        files: the files it is made of, where they are known.
        name: of a DICOM study; empty for others.
        read: see `study`; None where there is no single one.
    """

    path: Path
    named: Path
    kind: Kind
    reason: str = ""
    files: tuple[Path, ...] = ()
    name: str = ""
    read: Callable[[], Study] | None = None
    data_set: DataSet | None = None

    def study(self) -> Study:
        """The study of a DICOM or FILE source.

        Raises:
            InputError: it cannot be read.
        """
        if self.read is None:
            raise InputError(self.path, self.reason or "is not a single study")
        return self.read()

    @property
    def root(self) -> Path:
        """The folder that was named, or that a named file lies in."""
        return self.named if self.named.is_dir() else self.named.parent

    @property
    def place(self) -> Path:
        """Where it lies below the root, for mirrors of a tree; empty for the root itself."""
        return self.path.relative_to(self.root) if self.path.is_relative_to(self.root) else Path()


def find_sources(paths: Sequence[Path], layout: str = "auto", skip: Path | None = None) -> Iterator[Source]:
    """Every source of the paths, at least one each, folder by folder as they are asked for.

    Args:
        paths: files and folders.
        layout: one of LAYOUTS; all but "auto" narrow what is taken.
        skip: a resolved folder that is passed over where it lies below one of the paths.
    """
    # Files of one series may be named one by one (`*.dcm`); they are read where the first one stands.
    dicom = [path for path in paths if layout in ("auto", "dicom") and is_dicom(path)]
    for path in paths:
        if path in dicom:
            if path == dicom[0]:
                yield from _dicom(dicom, path)
            continue
        try:
            with reading(path):
                path.stat()
            yield from _of_path(path, layout, skip)
        except InputError as error:
            yield Source(path, path, Kind.NOTHING, error.reason)


def one_by_one(source: Source, skip: Path | None = None) -> Iterator[Source]:
    """The same, each picture of a folder or of a data set by itself."""
    if source.reason or source.kind not in (Kind.PICTURES, Kind.DATA_SET):
        yield source
    elif source.kind is Kind.PICTURES:
        yield from (_file(path, source.named, read_image_study) for path in source.files)
    elif source.data_set is not None:
        folders = sorted(source.path.glob(source.data_set.slices))
        below = [inner for folder in folders for inner in _below(folder, source.named, "auto", skip)]
        for inner in below:
            yield from one_by_one(inner, skip)
        if not below:
            reason = f"holds no images of its data set; expected {source.data_set.slices}/"
            yield dataclasses.replace(source, reason=reason)


def _of_path(path: Path, layout: str, skip: Path | None) -> Iterator[Source]:
    data_set = _data_set(path) if layout == "auto" else DATA_SETS.get(layout)
    if path.is_file() and is_archive_name(path):
        yield Source(path, path, Kind.ARCHIVE, files=(path,))
    elif data_set is not None:
        yield Source(path, path, Kind.DATA_SET, data_set=data_set)
    elif path.is_dir():
        empty = True
        for source in _of_folder(path, layout, skip):
            empty = False
            yield source
        if empty:
            wanted = "" if layout == "auto" else f" for the layout {layout!r}"
            raise InputError(path, f"holds nothing to read{wanted}; {EXPECTED}")
    else:
        readers = [
            read
            for of, (matches, read) in _FILES.items()
            if layout == of or (layout == "auto" and matches(path))
        ]
        if readers:
            yield _file(path, path, readers[0])
        else:
            yield Source(path, path, Kind.FILE, f"is of an unknown kind; {EXPECTED}")


def _of_folder(folder: Path, layout: str, skip: Path | None) -> Iterator[Source]:
    if layout in ("auto", "dicom"):
        yield from _dicom(dicom_files_below(folder, skip), folder)
    yield from _below(folder, folder, layout, skip)


def _dicom(files: Sequence[Path], named: Path) -> Iterator[Source]:
    for study in find_dicom_studies(files, named):
        if isinstance(study, DicomStudy):
            yield Source(study.source, named, Kind.DICOM, files=study.files, name=study.name, read=study.read)
        else:
            yield Source(study.source, named, Kind.DICOM, study.reason)


def _below(root: Path, named: Path, layout: str, skip: Path | None) -> Iterator[Source]:
    """What lies in a folder and below it, without DICOM."""

    def data_set(folder: Path) -> DataSet | None:
        return _data_set(folder) if layout == "auto" else None

    for folder, files in folders_below(root, skip, lambda folder: data_set(folder) is not None):
        if isinstance(files, InputError):
            yield Source(folder, named, Kind.PICTURES, failed(folder, files).reason)
        elif (known := data_set(folder)) is not None:
            yield Source(folder, named, Kind.DATA_SET, data_set=known)
        else:
            yield from _in_folder(folder, [file for file in files if not is_mask_name(file)], named, layout)


def _in_folder(folder: Path, files: Sequence[Path], named: Path, layout: str) -> Iterator[Source]:
    yield from (Source(file, named, Kind.ARCHIVE, files=(file,)) for file in files if is_archive_name(file))
    for of in (of for of in _FILES if layout in ("auto", of)):
        matches, read = _FILES[of]
        matching = tuple(file for file in files if matches(file))
        if of != "images":
            yield from (_file(file, named, read) for file in matching)
        elif matching:
            yield Source(folder, named, Kind.PICTURES, files=matching)


def _file(path: Path, named: Path, read: Callable[[Path], Study]) -> Source:
    return Source(path, named, Kind.FILE, files=(path,), read=partial(read, path))


def _data_set(folder: Path) -> DataSet | None:
    return next((data_set for data_set in DATA_SETS.values() if data_set.matches(folder)), None)
