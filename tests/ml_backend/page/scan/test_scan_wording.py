"""Grades and warnings as the page says them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import Label
from chestct.severity.grading import Severity, severity_of
from chestct.severity.interval import InvolvementCalibration
from ml_backend.page.language import Translator
from ml_backend.page.scan.kept_study import Findings, KeptStudy
from ml_backend.page.scan.wording import cautions_shown, grade_shown


def label_maps(slices: int, lesion_rows: int, left: bool = True) -> np.ndarray:
    """(S, 32, 32): two lungs of 20 x 8 pixels, both with that many rows of ground-glass."""
    maps = np.zeros((slices, 32, 32), np.uint8)
    for column in (4, 20) if left else (4,):
        maps[:, 6:26, column : column + 8] = Label.LUNG
        maps[:, 6 : 6 + lesion_rows, column : column + 8] = Label.GROUND_GLASS
    return maps


def severity(maps: np.ndarray, *, picture: bool = False, **given: object) -> Severity:
    affine = np.diag([-10.0, 10.0, 8.0, 1.0])
    geometry = None if picture else Geometry((32, 32, len(maps)), affine)
    intensity = Intensity.PICTURE if picture else Intensity.HU
    return severity_of(maps, geometry, intensity, **given)  # type: ignore[arg-type]


CALIBRATED = {
    "calibration": InvolvementCalibration(quantile=2.0, level=0.9, studies=20, eps=1.0),
    "uncertainty": 4.0,
    "model_version": "v1",
}


def cautions(found: Severity, language: str) -> tuple[str, ...]:
    findings = Findings("v1", (), {}, (), found.as_dict(), cautions=found.cautions)
    return tuple(cautions_shown(findings, Translator(language)))


def test_a_grade_is_shown_with_its_interval_and_every_grade_in_it() -> None:
    # 4 of 20 rows: 20 %, and 2 x (4 + 1) = 10 percentage points either way: 10 to 30 %.
    graded = severity(label_maps(12, 4), **CALIBRATED)
    found = graded.as_dict()
    shown = grade_shown(found, Translator("en"))
    assert shown is not None
    assert (shown.grade, shown.possible, shown.more_than_one) == ("CT-1", "CT-1, CT-2", True)
    assert shown.deciding == ("Worse lung", "20.0 %")
    assert shown.interval == "interval 10.0 % to 30.0 %"
    assert (shown.bar["low"], shown.bar["percent"], shown.bar["high"]) == pytest.approx((10, 20, 30))
    assert shown.basis["Model"] == "v1"
    russian = grade_shown(found, Translator("ru"))
    assert russian is not None
    assert (russian.grade, russian.possible) == ("КТ-1", "КТ-1, КТ-2")
    assert russian.interval == "интервал от 10,0 % до 30,0 %"
    assert not any("radiologist" in one for one in cautions(graded, "en")), "said beside the grade"


def test_without_an_interval_no_grade_is_called_the_only_one() -> None:
    shown = grade_shown(severity(label_maps(12, 4)).as_dict(), Translator("en"))
    assert shown is not None
    assert (shown.possible, shown.more_than_one, shown.interval) == ("", False, "no calibrated interval")


def test_a_slice_has_no_grade_to_show() -> None:
    assert grade_shown(severity(label_maps(1, 4)).as_dict(), Translator("en")) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (severity(np.zeros((12, 32, 32), np.uint8)), "лёгкое не найдено"),
        (severity(label_maps(1, 4)), "один срез"),
        (severity(label_maps(4, 4)), "срезов всего 4"),
        (severity(label_maps(12, 4, left=False)), "левого лёгкого нет"),
        (severity(label_maps(12, 4), picture=True), "8-битные снимки"),
        (severity(label_maps(12, 4)), "лёгкое обрезано сверху"),
        (severity(label_maps(12, 4)), "лёгкое обрезано снизу"),
        (severity(label_maps(12, 4)), "между срезами 8,0 мм"),
        (severity(label_maps(12, 4), model_version="v1"), "интервал не калиброван"),
        (
            severity(label_maps(12, 4), model_version="v1", calibration=CALIBRATED["calibration"]),
            "неопределённость модели неизвестна",
        ),
        (
            severity(label_maps(3, 4), slice_positions_mm=[0.0, 8.0, 30.0]),
            "срезы неравномерны, в среднем",
        ),
    ],
)
def test_every_warning_is_said_in_russian_too(found: Severity, expected: str) -> None:
    said = cautions(found, "ru")
    assert any(one.startswith(expected) for one in said), said
    assert not [one for one in said if re.search("[A-Za-z]", one)]
    assert cautions(found, "en") == found.warnings


def test_a_small_lung_is_named_in_russian() -> None:
    maps = label_maps(12, 4)
    maps[:, :, 20:] = 0
    maps[:, 14:16, 20:28] = Label.LUNG
    said = cautions(severity(maps), "ru")
    assert "левое лёгкое мало (9 % обоих): степень по нему не определяется" in said


def test_a_scan_that_an_earlier_version_kept_shows_the_sentences_that_it_kept(tmp_path: Path) -> None:
    found = severity(label_maps(12, 4), **CALIBRATED)
    KeptStudy(tmp_path).keep_findings(Findings("v1", (), {}, (), found.as_dict(), cautions=found.cautions))
    kept = KeptStudy(tmp_path).findings()
    assert kept is not None
    assert kept.cautions == found.cautions
    stored = json.loads((tmp_path / "findings.json").read_text())
    del stored["cautions"]
    (tmp_path / "findings.json").write_text(json.dumps(stored))
    earlier = KeptStudy(tmp_path).findings()
    assert earlier is not None
    said = cautions_shown(earlier, Translator("ru"))
    assert "the lung is cut off at the top of the stack" in said
    assert not any("radiologist" in one for one in said), "said beside the grade"


def test_findings_without_a_severity_have_nothing_to_warn_of() -> None:
    assert cautions_shown(Findings("v1", (), {}, (), None), Translator("ru")) == []
