"""Headers of source instances: what is kept, and that it comes back."""

import json

import numpy as np
import pydicom
import pytest
from dicom_series import SERIES, write_series

from chestct.dicom_source import (
    KEPT,
    PATIENT_AND_STUDY,
    from_bytes,
    pseudonymous,
    read_headers,
    require_place,
    to_bytes,
)
from chestct.errors import InputError


def test_headers_come_back_from_their_bytes_value_for_value(tmp_path):
    headers = read_headers(write_series(tmp_path, SERIES["oblique"]))
    assert from_bytes(to_bytes(headers), "key") == headers
    assert to_bytes(from_bytes(to_bytes(headers), "key")) == to_bytes(headers)


def test_numbers_are_those_of_the_file(tmp_path):
    files = write_series(tmp_path, SERIES["tilted gantry"])
    for file, header in zip(files, from_bytes(to_bytes(read_headers(files)), "key"), strict=True):
        source = pydicom.dcmread(file)
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            given = [float(value) for value in source[keyword].value]
            np.testing.assert_array_equal([float(value) for value in header[keyword].value], given)


def test_nothing_but_the_named_attributes_is_read(tmp_path):
    headers = read_headers(write_series(tmp_path, SERIES["coronal"]))
    read = {element.keyword for header in headers for element in header}
    assert read <= {*KEPT, *PATIENT_AND_STUDY, "SpecificCharacterSet"}
    assert b"Secret" not in to_bytes(headers)


def test_a_pseudonym_replaces_everything_that_is_said_of_the_patient_and_the_study(tmp_path):
    headers = read_headers(write_series(tmp_path, SERIES["coronal"]))
    for header in pseudonymous(headers, "p-1"):
        said = {keyword: str(header[keyword].value) for keyword in PATIENT_AND_STUDY if keyword in header}
        assert said.pop("DeidentificationMethod")
        assert said == {"PatientID": "p-1", "PatientIdentityRemoved": "YES"}
    assert not {*PATIENT_AND_STUDY} & {one.keyword for header in pseudonymous(headers, "") for one in header}
    assert "PatientName" in headers[0]


def test_many_frames_in_one_file_are_refused_with_a_way_out(tmp_path):
    headers = read_headers(write_series(tmp_path, SERIES["coronal"], NumberOfFrames=3))
    with pytest.raises(InputError, match=r"enhanced CT.*NIfTI holds the same masks"):
        require_place(headers, "study_1")


def test_a_name_in_another_character_set_arrives_as_unicode(tmp_path):
    header = read_headers(write_series(tmp_path, SERIES["coronal"]))[0]
    assert str(header.PatientName) == "Иванов^Иван"
    assert header.SpecificCharacterSet == "ISO_IR 192"


def test_what_all_instances_share_is_written_once(tmp_path):
    data = to_bytes(read_headers(write_series(tmp_path, SERIES["coronal"])))
    document = json.loads(data)
    own = {tag for one in document["instances"] for tag in one}
    assert own == {"00080018", "00200032"}  # SOP Instance UID, Image Position (Patient)


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.dcm: is no readable DICOM file"):
        read_headers([tmp_path / "gone.dcm"])


def test_bytes_that_are_no_dicom_cannot_be_placed(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"no dicom at all")
    with pytest.raises(InputError, match=r"a\.dcm"):
        require_place(read_headers([tmp_path / "a.dcm"]), tmp_path / "a.dcm")


def test_files_of_two_series_have_no_place_together(tmp_path):
    headers = read_headers(
        [*write_series(tmp_path / "a", SERIES["coronal"]), *write_series(tmp_path / "b", SERIES["coronal"])]
    )
    with pytest.raises(InputError, match="several series"):
        require_place(headers, "study_1")
    with pytest.raises(InputError, match="no DICOM instances"):
        require_place([], "study_1")


@pytest.mark.parametrize("data", [b"", b"[]", b'{"shared": {}}', b'{"shared": {}, "instances": [3]}'])
def test_other_bytes_are_refused(data):
    with pytest.raises(InputError, match="holds no DICOM headers of ours"):
        from_bytes(data, "key")
