"""Known involvement, 0 to 100 %, in one lung and in both: the right grade, never less for more lesion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays
from rare_phantoms import cut_stack, with_touching_lungs, without_lung

from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import Label, SeverityGrade
from chestct.phantoms import phantom_study
from chestct.severity.grading import severity_of
from chestct.severity.lungs import Side

SHAPE = (8, 64, 64)
GRADES = list(SeverityGrade)
MAPS = arrays.arrays(np.uint8, (3, 4, 7), elements=some.integers(0, 3))
GEOMETRY = Geometry((7, 4, 3), np.diag([-10.0, 10.0, 8.0, 1.0]))


@pytest.mark.parametrize("other", [0.0, 1.0], ids=["one lung", "both lungs"])
@pytest.mark.parametrize(
    ("share", "grade"),
    [
        (0.0, "CT-0"),
        (0.004, "CT-0"),
        (0.03, "CT-1"),
        (0.2, "CT-1"),
        (0.3, "CT-2"),
        (0.45, "CT-2"),
        (0.55, "CT-3"),
        (0.7, "CT-3"),
        (0.8, "CT-4"),
        (1.0, "CT-4"),
    ],
)
def test_a_phantom_of_known_involvement_gets_its_grade(share: float, grade: str, other: float) -> None:
    phantom = phantom_study(4, shape=SHAPE, involvement=(share, other * share))
    found = severity_of(phantom.label_map, phantom.geometry, Intensity.HU)
    assert found.grade == grade
    right, left = (100.0 * involved for involved in phantom.involvement)
    assert found.percent["right"] == pytest.approx(right)
    assert found.percent["left"] == pytest.approx(left)
    assert found.percent["worst"] == pytest.approx(max(right, left))


@pytest.mark.parametrize("side", list(Side))
def test_after_a_pneumonectomy_the_other_lung_decides_and_the_reader_is_told(side: Side) -> None:
    phantom = without_lung(phantom_study(4, shape=SHAPE, involvement=(0.3, 0.3)), side)
    found = severity_of(phantom.label_map, phantom.geometry, Intensity.HU)
    assert found.grade == "CT-2"
    assert found.percent[side.name.lower()] is None
    assert f"no {side.name.lower()} lung" in found.warnings


def test_a_small_lung_is_flagged_and_does_not_decide() -> None:
    label_maps = np.zeros((10, 12, 40), np.uint8)
    label_maps[:, 1:11, 1:21] = Label.LUNG  # 2000 voxels
    label_maps[:, 1:11, 30:33] = Label.CONSOLIDATION  # 300 voxels: 13 % of both
    found = severity_of(label_maps, Geometry((40, 12, 10), np.diag([-5.0, 5.0, 5.0, 1.0])), Intensity.HU)
    assert found.grade == "CT-0"
    assert (found.percent["left"], found.percent["worst"]) == (100.0, 0.0)
    assert "the left lung is small (13 % of both): it does not decide" in found.warnings


def test_lungs_cut_off_by_the_stack_are_told_with_the_end() -> None:
    phantom = phantom_study(1, shape=(36, 32, 32))
    whole = severity_of(phantom.label_map, phantom.geometry, Intensity.HU)
    assert not any("cut off" in warning for warning in whole.warnings)
    for part, end in ((cut_stack(phantom, 0, 18), "top"), (cut_stack(phantom, 18, 36), "bottom")):
        found = severity_of(part.label_map, part.geometry, Intensity.HU)
        assert f"the lung is cut off at the {end} of the stack" in found.warnings


def test_touching_lungs_keep_the_percents_of_each() -> None:
    phantom = with_touching_lungs(phantom_study(5, shape=(24, 64, 64), involvement=(0.6, 0.1)))
    found = severity_of(phantom.label_map, phantom.geometry, Intensity.HU)
    right, left = (100.0 * involved for involved in phantom.involvement)
    assert found.percent["right"] == pytest.approx(right, abs=1.0)
    assert found.percent["left"] == pytest.approx(left, abs=1.0)


def test_uneven_slices_weigh_by_the_way_to_their_neighbours() -> None:
    # Slices at 0, 2 and 12 mm stand for 2, 6 and 10 mm: the last one alone is diseased, 10 of 18 parts.
    label_maps = np.full((3, 4, 7), Label.LUNG, np.uint8)
    label_maps[:, :, 3] = Label.BACKGROUND
    label_maps[2][label_maps[2] == Label.LUNG] = Label.GROUND_GLASS
    found = severity_of(label_maps, GEOMETRY, Intensity.HU, slice_positions_mm=[0.0, 2.0, 12.0])
    assert found.percent["whole"] == pytest.approx(100 * 10 / 18)
    assert found.volume_ml["lung"] == pytest.approx(24 * 0.1 * 18)  # 24 pixels of 0.1 ml a mm
    assert any("unevenly apart" in warning for warning in found.warnings)


@settings(max_examples=60, deadline=None)
@given(label_maps=MAPS, more=arrays.arrays(np.bool_, (3, 4, 7)))
def test_more_lesion_never_lowers_a_percent_or_the_grade(label_maps: np.ndarray, more: np.ndarray) -> None:
    worse = label_maps.copy()
    worse[more & (label_maps == Label.LUNG)] = Label.CONSOLIDATION
    before, after = (severity_of(one, GEOMETRY, Intensity.HU) for one in (label_maps, worse))
    for lung, percent in before.percent.items():
        assert (percent is None) == (after.percent[lung] is None)
        assert percent is None or 0.0 <= percent <= after.percent[lung] <= 100.0
    if before.grade is not None:
        assert GRADES.index(before.grade) <= GRADES.index(after.grade)


@settings(max_examples=40, deadline=None)
@given(label_maps=MAPS)
def test_a_mirrored_patient_swaps_the_lungs_and_keeps_the_grade(label_maps: np.ndarray) -> None:
    label_maps[:, :, 3] = Label.BACKGROUND
    label_maps[:, :, [1, 5]] = np.maximum(label_maps[:, :, [1, 5]], 1)  # a lung on each side, in one piece
    label_maps[:, :, [0, 2, 4, 6]] = 0
    mirrored = np.ascontiguousarray(label_maps[:, :, ::-1])
    before, after = (severity_of(one, GEOMETRY, Intensity.HU) for one in (label_maps, mirrored))
    assert (before.percent["left"], before.grade) == (after.percent["right"], after.grade)
