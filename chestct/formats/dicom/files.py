"""Which files are DICOM: told by content, since archives name them IM00001 or by a UID."""

from pathlib import Path

from chestct.errors import InputError
from chestct.formats.folders import folders_below

SUFFIXES = (".dcm", ".dicom", ".ima")
# Files of these kinds are never looked into: a folder may hold thousands of pictures.
_OTHER_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii", ".gz", ".npy", ".zip", ".csv", ".json", ".txt", ".xlsx",
)  # fmt: skip
_PREAMBLE_BYTES, _MAGIC = 128, b"DICM"


def is_dicom(path: Path) -> bool:
    """Whether a file is named like DICOM, or is DICOM under a name that promises nothing else."""
    suffix = path.suffix.lower()
    if suffix in _OTHER_SUFFIXES or not path.is_file():
        return False
    return suffix in SUFFIXES or has_magic(path)


def has_magic(path: Path) -> bool:
    """Whether a file begins as part 10 of the standard wants it."""
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE_BYTES + len(_MAGIC))[_PREAMBLE_BYTES:] == _MAGIC
    except OSError:
        return False


def dicom_files_below(folder: Path, skip: Path | None = None) -> list[Path]:
    """DICOM files at any depth, in natural order; see `folders_below`.

    A subfolder that cannot be listed is passed over here; the search for other formats names it.
    """
    return [
        file
        for _, files in folders_below(folder, skip)
        if not isinstance(files, InputError)
        for file in files
        if is_dicom(file)
    ]
