"""How often test patients were looked at before: every look is another chance to be lucky."""

from collections.abc import Iterable
from typing import Any

from chestct.catalog.records import VersionRecord
from training.retraining.gate_evidence import Pair

LOOKED_AT = "looked_at"
# Decisions of before, which named no patients: always of the reference labels.
_OLD_EVIDENCE = "frozen patients"


def earlier_looks(
    versions: Iterable[VersionRecord], pairs: Iterable[Pair], *, with_old_decisions: bool = False
) -> int:
    """How many decisions rested on these patients: on half of them or more, since new ones are fresh.

    Args:
        with_old_decisions: count those that named no patients as looks at these.
    """
    patients = {before.patient for before, _ in pairs}
    return sum(
        _is_look(version.decision or {}, patients, with_old_decisions) for version in versions if patients
    )


def looked_at(pairs: Iterable[Pair]) -> list[str]:
    """For a decision to keep: the patients that it rests on."""
    return sorted({before.patient for before, _ in pairs})


def _is_look(decision: dict[str, Any], patients: set[str], with_old_decisions: bool) -> bool:
    named = decision.get(LOOKED_AT)
    if named is None:
        return with_old_decisions and decision.get("figures", {}).get("evidence") == _OLD_EVIDENCE
    return 2 * len(patients & set(named)) >= len(patients)
