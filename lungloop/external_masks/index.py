"""Which mask file belongs to which study or slice: joined by name."""

from collections import defaultdict
from pathlib import Path

from chestct.errors import InputError
from chestct.formats.folders import MASK_FOLDERS, natural_key
from chestct.formats.images import is_picture_name
from chestct.formats.kaggle import is_array_name
from chestct.formats.nifti import is_nifti_name, nifti_stem

# `study_0255_mask.nii.gz`, `000.label.png`, `scan_seg.nii.gz`, or just the study's own name.
_ENDINGS = ("_mask", "_masks", "_label", "_labels", "_seg", ".label", ".mask", ".seg", "-mask", "-label", "")
_NAMES_OF_LABEL_MAPS = ("label", "labels")
# 3D Slicer's own format has no reader here, and its masks must not be passed over in silence.
_NOT_READ = (".nrrd", ".mha", ".mhd")


class MaskFiles:
    """The mask files below a path.

    Args:
        masks: one file, or a folder that is searched through.
    Raises:
        InputError: there is no such path, or no mask in it.
    """

    def __init__(self, masks: Path) -> None:
        self.root = masks
        self.single = masks if masks.is_file() else None
        if not masks.exists():
            raise InputError(masks, "does not exist; expected a mask file or a folder of masks")
        listed = [masks] if self.single else sorted(masks.rglob("*"), key=lambda path: natural_key(str(path)))
        foreign = [path for path in listed if path.suffix.lower() in _NOT_READ]
        if foreign:
            raise InputError(
                foreign[0],
                "is of a kind that is not read here; save it as .nii.gz (3D Slicer: Export to files, NIfTI)",
            )
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        for path in listed:
            if is_mask_kind(path) and path.is_file() and not path.name.startswith("."):
                self._by_name[mask_stem(path)].append(path)
        if not self._by_name:
            raise InputError(
                masks, "holds no mask; expected .nii.gz, .png, .tif or .npy masks, or a Label Studio export"
            )

    def of(self, *names: str, folder: str = "") -> Path | None:
        """The mask with one of these names, the first name first.

        Args:
            names: of a study or a slice, without ending.
            folder: decides where several masks have the name.
        Raises:
            InputError: several masks have the name and the folder does not decide.
        """
        for name in names:
            masks = self._by_name.get(name, [])
            if len(masks) > 1:
                masks = [path for path in masks if folder and folder in _folders(path)] or masks
            if len(masks) > 1:
                raise InputError(
                    masks[0],
                    f"and {masks[1]} have the same name; put each into a folder named like its study",
                )
            if masks:
                return masks[0]
        return None

    def pictures_in(self, folder: str) -> list[Path]:
        """Pictures of masks below a folder of this name, in natural order."""
        pictures = [path for paths in self._by_name.values() for path in paths if is_picture_name(path)]
        return sorted(
            (path for path in pictures if folder in _folders(path)), key=lambda path: natural_key(path.name)
        )


def is_mask_kind(path: Path) -> bool:
    """Whether masks of this kind are read."""
    return is_nifti_name(path) or is_picture_name(path) or is_array_name(path)


def mask_stem(path: Path) -> str:
    """`study_0255` of `study_0255_mask.nii.gz`."""
    stem = _stem(path)
    return next(stem.removesuffix(ending) for ending in _ENDINGS if stem.endswith(ending))


def is_label_map_name(path: Path) -> bool:
    """Whether a mask's name promises the project's own label map, 0 to 3."""
    return _stem(path).lower().endswith(_NAMES_OF_LABEL_MAPS)


def _stem(path: Path) -> str:
    return nifti_stem(path) if is_nifti_name(path) else path.stem


def _folders(path: Path) -> set[str]:
    """Names of the folder that a mask lies in, seen through one folder named `masks`."""
    parents = [path.parent.name]
    if parents[0].lower() in MASK_FOLDERS:
        parents.append(path.parent.parent.name)
    return set(parents)
