import pytest

from chestct.reader_study.effort import NO_PRELABEL, effort_by_reader, effort_by_version
from chestct.reader_study.pace import capped_seconds


def test_a_reader_who_left_for_lunch_spent_the_longest_usual_time(reading):
    log = [reading(seconds) for seconds in (20, 20, 20, 40, 40, 40, 40, 3600)]
    other = reading(3600.0, annotator="b")  # one time says nothing of what is usual
    capped = capped_seconds([*log, other])
    # Quartiles 20 and 40: 40 x max(3, (40 / 20) ** 1.5) = 120.
    assert capped[log[-1].correction_id] == pytest.approx(120.0)
    assert capped[log[0].correction_id] == 20.0
    assert capped[other.correction_id] == 3600.0


def test_readers_are_told_apart_by_their_median_seconds_and_pixels(reading, changes):
    log = [reading(seconds, changes=changes(pixels)) for seconds, pixels in ((10, 5), (20, 7), (4000, 90))]
    log += [reading(None, annotator="b", changes=None)]
    first, second = effort_by_reader(log)
    assert (first.name, first.readings, first.seconds.median, first.pixels.median) == ("a@hospital", 3, 20, 7)
    assert first.class_pixels["ground_glass"].median == 7
    assert first.class_pixels["consolidation"].median == 0
    low, high = first.seconds.interval
    assert 10 <= low <= 20 <= high <= 4000
    assert (second.name, second.seconds, second.pixels, second.class_pixels) == ("b", None, None, {})


def test_versions_stand_in_their_order_and_blank_slices_last(reading, changes):
    log = [reading(shown_version=None), reading(shown_version="v2"), reading(), reading(shown_version="own")]
    rows = effort_by_version(log, ["base-1", "v2", "never shown"])
    assert [row.name for row in rows] == ["base-1", "v2", "own", NO_PRELABEL]
    assert all(row.seconds.interval is None for row in rows)  # one slice each


def test_pixels_of_a_slice_without_a_models_pre_label_are_no_corrections(reading, changes):
    blank = reading(shown_version=None, prelabelled=False, changes=changes(500))
    own = reading(has_own_mask=True, changes=changes(500))
    (row,) = effort_by_reader([blank, own])
    assert (row.pixels, row.readings) == (None, 2)
