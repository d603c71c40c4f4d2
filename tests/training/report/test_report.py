"""Reports: self-contained, honest about what is missing, never half-written."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from chestct.errors import InputError
from training.evaluate.metrics import Counts
from training.evaluate.patient_score import PatientScore
from training.evaluate.summary import reliability_of, summarise
from training.evaluate.worst import WrongSlice
from training.report.evaluation import BOTH_RGB, LABELS_RGB, MODEL_RGB, contour_picture, evaluation_page
from training.report.plots import dots_plot, involvement_plot, reliability_plot
from training.report.rendering import write_whole

RESEARCH_ONLY = "Research software, not a medical device."


class Outside(HTMLParser):
    """Collects what a page would fetch or run, and checks that its tags pair."""

    VOID = frozenset({"meta", "img", "br", "line", "polyline", "link"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.scripts = 0
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report(scores: list[PatientScore], **given: object) -> dict:
    side = "held_out"
    return {
        "model_version": "base-9", "input": "/data/ward <7>", "created_at": "2026-01-02T03:04:05+00:00",
        "temperature": 1.25, "classes": [],
        "surface_tolerance": {"mm": 2.0, "pixels_without_spacing": 2.0, "slices_with_spacing": 0},
        "splits": {side: summarise(scores)}, "reliability": {side: reliability_of(scores)},
        "patients": [{"split": side, **score.as_row()} for score in scores], "failed": [], **given,
    }  # fmt: skip


def wrong_slice() -> WrongSlice:
    """480 x 480: labels in rows 100-199, the model's lesion in rows 100-299, both in columns 100-299."""
    truth, predicted = np.zeros((480, 480), bool), np.zeros((480, 480), bool)
    truth[100:200, 100:300] = predicted[100:300, 100:300] = True
    image = np.full((480, 480), 0.5, np.float32)
    return WrongSlice("p", "s/<1>", 2 / 3, Counts(20_000, 20_000, 0), image, truth, predicted)


def test_a_page_needs_no_other_file_and_runs_no_script():
    scores = [PatientScore("a", 0.5, lung_dice=0.9), PatientScore("b", 0.7)]
    page = evaluation_page(report(scores), {"held_out": [wrong_slice()]})
    outside = Outside(page)
    assert outside.open == []
    assert outside.scripts == 0
    assert len(outside.fetched) == 1
    assert outside.fetched[0].startswith("data:image/png;base64,")
    assert "@import" not in page
    assert "url(" not in page


def test_a_page_says_once_that_it_is_research_and_that_it_carries_pictures():
    page = evaluation_page(report([PatientScore("a", 0.5)]), {})
    assert page.count(RESEARCH_ONLY) == 1
    assert "carries pictures" in page[page.index("<footer") :]


def test_names_from_files_are_shown_and_never_become_markup():
    scores = [PatientScore("<script>alert(1)</script>", 0.5)]
    page = evaluation_page(report(scores), {"held_out": [wrong_slice()]})
    assert Outside(page).scripts == 0
    assert "&lt;script&gt;" in page
    assert "s/&lt;1&gt;" in page
    assert "ward &lt;7&gt;" in page


def test_a_page_of_one_patient_says_why_there_is_no_interval():
    page = evaluation_page(report([PatientScore("a", 0.5)]), {})
    assert "one patient: no interval" in page


def test_what_the_data_cannot_answer_is_said_and_not_drawn():
    page = evaluation_page(report([PatientScore("a", 0.5)]), {})
    assert "lungs are not labelled" in page
    assert "Consolidation Dice" not in page


def test_inputs_that_were_not_read_stand_on_the_page():
    failed = [{"input": "b.png", "error": "is no picture"}]
    assert "b.png: is no picture" in evaluation_page(report([PatientScore("a", 0.5)], failed=failed), {})


def test_contours_show_labels_and_model_in_two_colours_and_white_where_they_agree():
    picture = contour_picture(wrong_slice())
    assert picture.shape == (480, 480, 3)
    assert tuple(picture[199, 200]) == LABELS_RGB
    assert tuple(picture[299, 200]) == MODEL_RGB
    assert tuple(picture[100, 200]) == BOTH_RGB
    assert tuple(picture[150, 200]) == (128, 128, 128)  # inside both: the slice stays visible


def test_a_small_slice_is_enlarged_before_its_contours_are_drawn():
    mask = np.zeros((24, 12), bool)
    mask[6:18, 3:9] = True
    small = WrongSlice("p", "s", 1.0, Counts(72), np.zeros((24, 12), np.float32), mask, mask)
    picture = contour_picture(small)
    assert picture.shape == (480, 240, 3)
    assert tuple(picture[120, 120]) == tuple(picture[121, 120]) == BOTH_RGB
    assert tuple(picture[122, 120]) == (0, 0, 0)


def test_a_dot_stands_where_its_score_is():
    drawn = dots_plot([("Lesion", {"mean": 0.5, "interval": None}, [("a", 0.0), ("b", 1.0)])])
    assert re.findall(r'<circle cx="([\d.]+)"', drawn) == ["112.0", "346.0"]
    assert 'x1="229.0"' in drawn  # the mean, half way
    assert 'class="range"' not in drawn


def test_involvement_has_its_diagonal_and_an_axis_that_holds_every_patient():
    drawn = involvement_plot([("a", 4.0, 18.0)])
    assert ">20</text>" in drawn
    # 4 of 20 across the side from 46 to 350; 18 of 20 up the side from 316 to 12.
    assert 'cx="106.8" cy="42.4"' in drawn
    assert 'class="diagonal"' in drawn


def test_reliability_of_nothing_draws_its_frame_alone():
    assert "<circle" not in reliability_plot([], [])


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path):
    path = tmp_path / "new" / "report.html"
    write_whole(path, "first")
    write_whole(path, "second")
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path / "file" / "report.html", "text")
