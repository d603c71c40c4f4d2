"""A file that cannot be written is never said to be unreadable."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_series import SERIES, write_series

from chestct.dicom_source import read_headers
from chestct.errors import InputError
from chestct.formats.dicom import dicom_files_below
from chestct.formats.dicom_seg import MadeBy, write_dicom_seg
from chestct.formats.images import write_label_map_png
from chestct.formats.kaggle_arrays import KaggleArrays
from chestct.formats.layouts import discover
from chestct.formats.nifti import write_label_map_nifti
from chestct.geometry import Geometry
from chestct.phantoms import write_phantoms
from chestct.study import Study

LABEL_MAPS = np.zeros((2, 64, 64), np.uint8)


def png(folder: Path, name: str) -> None:
    write_label_map_png(folder / f"{name}.png", LABEL_MAPS[0])


def nifti(folder: Path, name: str) -> None:
    geometry = Geometry((64, 64, 2), np.diag([1.0, 1.0, 5.0, 1.0]))
    write_label_map_nifti(folder / f"{name}.nii.gz", LABEL_MAPS, geometry)


def dicom_seg(folder: Path, name: str) -> None:
    source = folder.parent / "source"
    write_series(source, SERIES["oblique"])
    (study,) = discover([source])
    assert isinstance(study, Study)
    assert study.geometry is not None
    view = np.ones(study.geometry.view_shape, np.uint8)
    headers = read_headers(dicom_files_below(source))
    write_dicom_seg(folder / f"{name}.dcm", view, study.geometry, headers, MadeBy.model("v1"))


def arrays(folder: Path, name: str) -> None:
    KaggleArrays(folder, name, (64, 64), np.uint8)


@pytest.mark.parametrize(
    ("write", "ending"), [(png, "x.png"), (nifti, "x.nii.gz"), (dicom_seg, "x.dcm"), (arrays, "images_x.npy")]
)
def test_a_failed_write_says_so_with_the_systems_reason(
    write: Callable[[Path, str], None], ending: str, tmp_path: Path
) -> None:
    (tmp_path / "out" / ending).mkdir(parents=True)
    with pytest.raises(InputError, match=r"cannot be written: Is a directory"):
        write(tmp_path / "out", "x")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [ending]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written: Not a directory"):
        write(tmp_path / "file", "x")


def test_phantoms_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written: Not a directory"):
        write_phantoms(tmp_path / "file", 1, shape=(2, 32, 32))
