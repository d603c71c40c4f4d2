"""The page's section about readers: figures of the log, nobody's name, links that lead somewhere."""

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from _reader_log import PhantomReaders, phantom_log

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.reader_study.agreement import ReadingPair
from chestct.reader_study.effort import Typical
from chestct.reader_study.reading import Reading
from chestct.settings import Settings
from ml_backend.app import create_app
from ml_backend.model import Backend
from ml_backend.page.language import Translator
from ml_backend.page.readers import ReadersPanel
from ml_backend.page.times_plot import times_plot


class FakeLog:
    """A catalog of a synthetic log; counts how often it is read."""

    def __init__(self, readings: list[Reading]) -> None:
        self.log = readings
        self.reads = 0
        self.reader_log = self.versions = self

    def stamp(self) -> tuple[object, ...]:
        return (len(self.log),)

    def all(self) -> list[Any]:
        return []

    def readings(self) -> list[Reading]:
        self.reads += 1
        return self.log

    def pairs(self, readings: Iterable[Reading]) -> list[ReadingPair]:
        return []


@pytest.fixture(scope="module")
def log() -> list[Reading]:
    synthetic = phantom_log(3, PhantomReaders(patients=20))
    first = synthetic[0]
    assert first.changes is not None
    wiped = dataclasses.replace(
        first.changes, changed=400, lesion_before=400, lesion_after=0, dice=0.0, sure=390
    )
    here = dataclasses.replace(first, changes=wiped, project_uid="7:2026", task_id=41)
    elsewhere = dataclasses.replace(synthetic[1], changes=wiped, project_uid="8:2026")
    return [here, elsewhere, *synthetic[2:]]


def test_the_figures_are_worked_out_once_for_each_state_of_the_log(
    settings: Settings, log: list[Reading]
) -> None:
    fake = FakeLog(log[:30])
    panel = ReadersPanel(settings, fake)  # type: ignore[arg-type]
    assert panel.section() is panel.section()
    assert fake.reads == 1
    fake.log = log
    assert panel.section().readings == len(log)
    assert fake.reads == 2


def test_readers_have_letters_and_suspicious_labels_link_to_tasks_of_this_project(
    settings: Settings, log: list[Reading]
) -> None:
    section = ReadersPanel(settings, FakeLog(log)).section()  # type: ignore[arg-type]
    assert [letter for letter, _ in section.rows] == ["A", "B", "C", "D"]
    by_name = {one.name: one.link for one in section.second_look(Translator("en"))}
    assert by_name["study-000, slice 0"] == "http://label-studio.test/projects/7/data?task=41"
    assert by_name["study-000, slice 1"] is None
    plot = section.plot(Translator("en"))
    assert plot is not None
    assert "base-1" in plot
    assert "no pre-label" in plot


def test_the_plot_marks_median_and_interval_on_one_scale() -> None:
    drawn = times_plot(
        [("<v1>", Typical(30.0, (15.0, 45.0), 12)), ("v" * 50, Typical(60.0, None, 1))], Translator("en")
    )
    assert "&lt;v1&gt;" in drawn
    assert "<v1>" not in drawn
    # 8 to 344 stands for 0 to 60 s.
    assert re.findall(r'x1="([\d.]+)"[^>]*x2="([\d.]+)"[^>]*class="range"', drawn) == [("92.0", "260.0")]
    assert re.findall(r'cx="([\d.]+)"', drawn) == ["176.0", "344.0"]
    assert f">{'v' * 33}…<" in drawn


def test_the_page_shows_the_section_without_names(
    settings: Settings, backend: Backend, catalog: Catalog, study: str
) -> None:
    client = create_app(settings, backend).test_client()
    assert "No slice has been read yet" in client.get("/").text
    catalog.corrections.add(
        slice_id=catalog.slices.all()[0].id,
        project_uid="7:2026",
        task_id=1,
        annotation_id=1,
        annotation_updated_at="2026-03-01T09:00:00Z",
        state=CorrectionState.SUBMITTED,
        annotator="reader@hospital",
        via="sync",
        label_map=np.zeros((64, 64), np.uint8),
        lead_time_seconds=37.0,
    )
    text = client.get("/").text
    assert "No slice has been read yet" not in text
    assert "Seconds that a pre-label saves: not known yet." in text
    assert "median 37 s over 1 slices" in text
    assert "reader@hospital" not in text
    assert "<script" not in text
