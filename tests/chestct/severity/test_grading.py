"""Grades by the table of the rule; every percent worked out by hand."""

import json

import numpy as np
import pytest

from chestct.errors import InputError
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import SeverityGrade
from chestct.severity.grading import InvolvementCalibration, Severity, SeverityRule, severity_of

# Two lungs of 100 voxels a slice, one gap column between them, ten slices: 1000 voxels a lung.
SLICES, ROWS, LUNG_COLUMNS = 10, 10, 10


def geometry(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] = (2.0, 5.0, 10.0)
) -> Geometry:
    """LAS with the slices foot first, as MosMedData stores them."""
    between, rows, columns = spacing_mm
    return Geometry((shape[2], shape[1], shape[0]), np.diag([-columns, rows, between, 1.0]))


def two_lungs(right: int = 0, left: int = 0, consolidated: bool = False) -> np.ndarray:
    """(12, 12, 23) with so many diseased of the 1000 voxels of each lung, and air all around."""
    label_maps = np.zeros((SLICES + 2, ROWS + 2, 2 * LUNG_COLUMNS + 3), np.uint8)
    for first, diseased in ((1, right), (LUNG_COLUMNS + 2, left)):
        lung = np.full(SLICES * ROWS * LUNG_COLUMNS, 3, np.uint8)
        lung[:diseased] = 2 if consolidated else 1
        label_maps[1:-1, 1:-1, first : first + LUNG_COLUMNS] = lung.reshape(SLICES, ROWS, LUNG_COLUMNS)
    return label_maps


def graded(label_maps: np.ndarray, **options) -> Severity:
    return severity_of(label_maps, geometry(label_maps.shape), Intensity.HU, **options)


@pytest.mark.parametrize(
    ("diseased", "grade"),
    [
        (0, "CT-0"),
        (10, "CT-0"),  # exactly 1 %
        (11, "CT-1"),
        (249, "CT-1"),
        (250, "CT-2"),  # 25 % belongs to CT-2
        (499, "CT-2"),
        (500, "CT-3"),  # 50 % belongs to CT-3
        (750, "CT-3"),  # 75 % still does
        (751, "CT-4"),
        (1000, "CT-4"),
    ],
)
def test_a_boundary_belongs_to_the_grade_of_the_table_whichever_lung_is_worse(
    diseased: int, grade: str
) -> None:
    for label_maps in (two_lungs(right=diseased), two_lungs(left=diseased), two_lungs(diseased, diseased)):
        found = graded(label_maps)
        assert found.grade == grade
        assert found.percent["worst"] == diseased / 10


def test_the_worse_lung_decides_and_the_whole_only_where_the_rule_says_so() -> None:
    label_maps = two_lungs(right=600, left=100)
    assert graded(label_maps).percent == {"left": 10.0, "right": 60.0, "worst": 60.0, "whole": 35.0}
    assert graded(label_maps).grade == "CT-3"
    assert graded(label_maps, rule=SeverityRule(deciding="whole")).grade == "CT-2"


def test_consolidation_counts_like_ground_glass() -> None:
    assert graded(two_lungs(right=20, consolidated=True)).grade == "CT-1"


def test_volumes_are_voxels_times_the_affines_millimetres() -> None:
    # 2 x 5 x 10 mm = 0.1 ml a voxel: 2000 voxels of lung, 300 of them ground-glass.
    assert graded(two_lungs(right=300)).volume_ml == pytest.approx(
        {"lung": 200.0, "ground_glass": 30.0, "consolidation": 0.0}
    )


def test_a_slice_has_percents_and_never_a_grade() -> None:
    one = two_lungs(right=1000)[5:6]
    found = graded(one)
    assert found.grade is None
    assert found.possible_grades == ()
    assert found.percent["right"] == 100.0
    assert "one slice: a grade belongs to a whole study" in found.warnings


def test_pictures_have_no_millilitres_and_no_grade() -> None:
    found = severity_of(two_lungs(right=300), None, Intensity.PICTURE)
    assert found.grade is None
    assert set(found.volume_ml.values()) == {None}
    assert found.percent["whole"] == 15.0
    assert any("8-bit" in warning for warning in found.warnings)


def test_without_lung_there_is_no_share_and_no_grade() -> None:
    found = graded(np.zeros((12, 12, 23), np.uint8))
    assert found.grade is None
    assert found.possible_grades == ()
    assert set(found.percent.values()) == {None}
    assert any("no lung" in warning for warning in found.warnings)


def test_a_label_map_of_another_shape_type_or_value_is_refused_with_what_came() -> None:
    label_maps = two_lungs()
    with pytest.raises(InputError, match=r"is of \(12, 12, 23\), its study of \(12, 12, 22\)"):
        severity_of(label_maps, geometry((12, 12, 22)), Intensity.HU)
    with pytest.raises(InputError, match="holds the value 7"):
        graded(np.where(label_maps, np.uint8(7), np.uint8(0)))
    with pytest.raises(InputError, match="expected uint8"):
        severity_of(label_maps[0], None, Intensity.HU)


def test_the_interval_names_every_grade_it_touches() -> None:
    calibration = InvolvementCalibration(quantile=2.0, level=0.9, studies=20, eps=0.5)
    found = graded(two_lungs(right=240), calibration=calibration, uncertainty=1.0, model_version="base-1")
    assert found.interval_percent == (21.0, 27.0)  # 24 +- 2 * (1 + 0.5)
    assert found.grade == "CT-1"
    assert found.possible_grades == ("CT-1", "CT-2")
    assert "CT-1 to CT-2 are possible: a radiologist must look" in found.warnings


def test_a_models_grade_without_calibration_says_so_and_given_masks_do_not() -> None:
    found = graded(two_lungs(right=240), model_version="base-1")
    assert found.interval_percent is None
    assert found.possible_grades == (SeverityGrade.CT_1,)
    assert any("interval not calibrated" in warning for warning in found.warnings)
    assert not any("calibrated" in warning for warning in graded(two_lungs()).warnings)


def test_json_has_the_keys_that_scripts_rely_on() -> None:
    written = json.loads(json.dumps(graded(two_lungs(right=300), model_version="base-1").as_dict()))
    assert list(written) == [
        "grade",
        "possible_grades",
        "percent",
        "interval_percent",
        "volume_ml",
        "rule",
        "model_version",
        "warnings",
    ]
    assert written["grade"] == "CT-2"
    assert written["possible_grades"] == ["CT-2"]
    assert written["interval_percent"] is None
    assert written["rule"]["boundaries_percent"] == [25.0, 50.0, 75.0]
