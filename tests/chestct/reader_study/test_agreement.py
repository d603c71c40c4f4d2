import pytest

from chestct.reader_study.agreement import ReadingPair, agreement


def _pair(number: int, lesion: float | None, *, drawn: bool = True, **dice: float | None) -> ReadingPair:
    found = {"lesion": lesion, "ground_glass": lesion, "consolidation": None, **dice}
    return ReadingPair(number, f"patient_{number}", ("a", "b"), drawn, found)


def test_agreement_is_the_mean_over_slices_where_either_marks_the_class():
    pairs = [_pair(number, dice) for number, dice in enumerate((0.5, 0.6, 0.7, 0.8, 0.9, None))]
    found = agreement(pairs, "lesion")
    assert found.mean == pytest.approx(0.7)
    assert (found.n, found.patients, found.resampled) == (5, 5, "patient")
    assert found.interval[0] < 0.7 < found.interval[1]
    assert agreement(pairs, "consolidation").mean is None


def test_slices_read_twice_for_a_reason_do_not_count():
    pairs = [_pair(number, 0.9) for number in range(5)]
    doubted = [_pair(number, 0.0, drawn=False) for number in range(5, 30)]
    assert agreement(pairs + doubted, "lesion").mean == pytest.approx(0.9)
    too_few = agreement(pairs[:4] + doubted, "lesion")
    assert too_few.mean is None
    assert "25 others were not drawn" in too_few.reason
    assert "4 of 4" in too_few.reason


def test_pairs_of_one_slice_have_no_interval():
    found = agreement([_pair(1, dice) for dice in (0.5, 0.5, 0.6, 0.7, 0.7)], "lesion")
    assert found.mean == pytest.approx(0.6)
    assert (found.interval, found.reason) == (None, "All pairs are of one slice.")
