import numpy as np
import pytest

from chestct import partial_labels
from chestct.errors import InputError
from chestct.formats.covid_ct_seg import read_covid_ct_seg
from chestct.formats.medseg import read_medseg
from chestct.intensity import Intensity
from chestct.labels import Split
from chestct.study import FailedInput, Study


@pytest.fixture
def covid(tmp_path, save_picture, slope):
    """Two volumes: `v2` of two slices to train, `v10` of one slice to test."""
    (tmp_path / "slices.csv").write_text(
        "volume,patient,split,slice,lung_px,infection_px\n"
        "v10,B,dev-validation,0,1,1\nv2,A,train,1,1,1\nv2,A,train,0,1,1\n"
    )
    lung, infection = np.zeros_like(slope), np.zeros_like(slope)
    lung[:, :40], infection[:, :10] = 255, 255
    for name in ("v2/{}/000.png", "v2/{}/001.png", "v10/{}/000.png"):
        for kind, pixels in (("ct", slope), ("lung", lung), ("infection", infection)):
            save_picture(tmp_path / name.format(kind), pixels)
    return tmp_path


def test_each_volume_is_a_study_with_its_patient_and_frozen_split(covid):
    found = [item for item in read_covid_ct_seg(covid) if isinstance(item, Study)]
    assert [(study.name, study.patient, study.split) for study in found] == [
        ("v2", "A", Split.TRAIN),
        ("v10", "B", Split.TEST),
    ]
    assert [study.slice_names for study in found] == [("000.png", "001.png"), ("000.png",)]
    assert all(study.intensity is Intensity.PICTURE for study in found)


def test_infection_is_of_unknown_kind_and_lung_is_known(covid):
    known = next(read_covid_ct_seg(covid)).partial_labels[1]
    assert known[0, [0, 9, 10, 39, 40, 79]].tolist() == [0b0110, 0b0110, 0b1000, 0b1000, 0b0001, 0b0001]


def test_a_volume_with_a_missing_slice_fails_alone(covid):
    (covid / "v2/infection/001.png").unlink()
    failed, other = read_covid_ct_seg(covid)
    assert isinstance(failed, FailedInput)
    assert "001.png" in failed.reason
    assert other.name == "v10"


def test_masks_of_another_size_fail_the_volume(covid, save_picture):
    save_picture(covid / "v2/lung/000.png", np.zeros((64, 64), dtype=np.uint8))
    assert "must agree" in next(read_covid_ct_seg(covid)).reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("v2,A,holdout,0", "names the split 'holdout'"),
        ("v2,A,train,one", "numbers a slice 'one'"),
        ("v2,A,train,0\nv2,B,train,1", "more than one patient"),
        ("v2,A,train,0\nv2,A,test,1", "more than one split"),
        ("../v2,A,train,0", "expected a folder beside the table"),
        ("v2,A", "more than one|names the split|numbers a slice"),
    ],
)
def test_a_wrong_row_fails_its_volume_with_the_reason(covid, row, reason):
    (covid / "slices.csv").write_text(f"volume,patient,split,slice\n{row}\n")
    (failed,) = read_covid_ct_seg(covid)
    assert isinstance(failed, FailedInput)
    assert any(part in failed.reason for part in reason.split("|"))


@pytest.mark.parametrize("read", [read_covid_ct_seg, read_medseg])
@pytest.mark.parametrize("content", [None, "", "volume,patient\n", "\x00\x00", "\udcff"])
def test_an_unusable_table_is_refused(tmp_path, read, content):
    if content is not None:
        (tmp_path / "slices.csv").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"slices\.csv"):
        list(read(tmp_path))


@pytest.fixture
def medseg(tmp_path, save_picture, slope):
    (tmp_path / "slices.csv").write_text(
        "slice,official_split,split\n10,official-train,train\n2,official-test,train\n"
    )
    mask = np.zeros_like(slope)
    mask[:, :10], mask[:, 10:20] = 1, 2
    for name, rows in (("002.png", 70), ("010.png", 66)):
        save_picture(tmp_path / "image" / name, slope[:rows])
        save_picture(tmp_path / "mask" / name, mask[:rows])
    return tmp_path


def test_each_slice_is_a_patient_because_the_table_is_lost(medseg):
    found = [item for item in read_medseg(medseg) if isinstance(item, Study)]
    assert [(study.name, study.patient) for study in found] == [
        ("medseg-002", "medseg-002"),
        ("medseg-010", "medseg-010"),
    ]
    assert [study.slices[0].shape for study in found] == [(70, 80), (66, 80)]
    assert {study.split for study in found} == {Split.TRAIN}


def test_medsegs_masks_tell_lesions_apart_and_nothing_of_the_lung(medseg):
    known = next(read_medseg(medseg)).partial_labels[0]
    assert known[0, [0, 10, 20]].tolist() == [0b0010, 0b0100, partial_labels.NOT_LESION]


@pytest.mark.parametrize("fault", ["missing", "size"])
def test_a_slice_with_a_bad_mask_fails_alone(medseg, save_picture, fault):
    (medseg / "mask/002.png").unlink()
    if fault == "size":
        save_picture(medseg / "mask/002.png", np.zeros((64, 64), dtype=np.uint8))
    failed, other = read_medseg(medseg)
    assert isinstance(failed, FailedInput)
    assert "002.png" in failed.reason
    assert other.name == "medseg-010"
