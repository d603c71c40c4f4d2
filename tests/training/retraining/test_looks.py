"""Looks at test patients are counted by who was looked at."""

from typing import Any

from chestct.catalog.records import VersionRecord, VersionState
from training.evaluate.patient_score import PatientScore
from training.retraining.gate_evidence import Pair
from training.retraining.looks import LOOKED_AT, earlier_looks, looked_at


def _pairs(*patients: str) -> list[Pair]:
    return [(PatientScore(patient, 0.5), PatientScore(patient, 0.6)) for patient in patients]


def _version(decision: dict[str, Any] | None) -> VersionRecord:
    return VersionRecord("v", VersionState.REFUSED, None, None, "2026-01-01", decision)


def test_a_decision_on_half_of_the_patients_was_a_look() -> None:
    versions = [
        _version({LOOKED_AT: ["a", "b"]}),
        _version({LOOKED_AT: ["a"]}),
        _version({LOOKED_AT: ["x", "y", "z"]}),
        _version(None),
    ]
    assert earlier_looks(versions, _pairs("a", "b")) == 2
    assert earlier_looks(versions, _pairs("a", "b", "c")) == 1
    assert earlier_looks(versions, _pairs("c", "d")) == 0
    assert earlier_looks(versions, ()) == 0


def test_decisions_of_before_named_nobody_and_were_looks_at_reference_labels() -> None:
    versions = [_version({"promote": True, "figures": {"evidence": "frozen patients"}})]
    versions.append(_version({"promote": True, "figures": {"evidence": "phantoms"}}))
    assert earlier_looks(versions, _pairs("a")) == 0
    assert earlier_looks(versions, _pairs("a"), with_old_decisions=True) == 1


def test_a_decision_keeps_the_names_of_its_patients() -> None:
    assert looked_at(_pairs("b", "a")) == ["a", "b"]
