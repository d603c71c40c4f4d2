import math

import numpy as np
import pytest

from chestct.catalog.records import VersionState
from chestct.errors import InputError, NotFoundError

CHAMPION, CHALLENGER = VersionState.CHAMPION, VersionState.CHALLENGER
REFUSED, RETIRED = VersionState.REFUSED, VersionState.RETIRED


def _states(catalog):
    return {version.version: version.state for version in catalog.versions.all()}


@pytest.fixture
def three(catalog):
    """base-1 serves, v2 and v3 wait."""
    catalog.versions.ensure_base("base-1")
    catalog.versions.register("v2", "base-1", "snapshot-1")
    catalog.versions.register("v3", "v2", "snapshot-2")
    return catalog


def test_there_is_no_champion_before_the_first(catalog):
    assert catalog.versions.champion() is None
    assert catalog.versions.all() == []


def test_the_shipped_version_serves_where_none_does_and_only_there(three):
    assert three.versions.champion().version == "base-1"
    three.versions.set_champion("v2")
    assert three.versions.ensure_base("base-1").version == "v2"
    assert three.versions.ensure_base("base-2").version == "v2"
    assert _states(three)["base-2"] is CHALLENGER


def test_promotion_retires_the_old_champion(three):
    promoted = three.versions.set_champion("v2", {"promote": True, "reasons": ["better"]})
    assert promoted == three.versions.champion() == three.versions.get("v2")
    assert promoted.decision == {"promote": True, "reasons": ["better"]}
    assert (promoted.parent, promoted.snapshot) == ("base-1", "snapshot-1")
    assert _states(three) == {"base-1": RETIRED, "v2": CHAMPION, "v3": CHALLENGER}


def test_promoting_the_champion_again_changes_nothing_but_its_decision(three):
    three.versions.set_champion("base-1", {"by": "hand"})
    three.versions.set_champion("v2")
    assert three.versions.rollback().version == "base-1"
    assert three.versions.champion().decision == {"by": "hand"}


def test_a_refused_version_keeps_why_and_the_champion_stays(three):
    refused = three.versions.refuse("v2", {"promote": False})
    assert (refused.state, refused.decision) == (REFUSED, {"promote": False})
    assert three.versions.champion().version == "base-1"


def test_the_champion_cannot_be_refused(three):
    with pytest.raises(InputError, match="champion"):
        three.versions.refuse("base-1", {})


def test_rollback_goes_back_one_promotion_at_a_time(three):
    three.versions.set_champion("v2")
    three.versions.set_champion("v3")
    assert three.versions.rollback().version == "v2"
    assert _states(three) == {"base-1": RETIRED, "v2": CHAMPION, "v3": RETIRED}
    assert three.versions.rollback().version == "base-1"
    with pytest.raises(NotFoundError, match="before"):
        three.versions.rollback()


def test_rollback_after_a_promotion_that_followed_a_rollback(three):
    three.versions.set_champion("v2")
    three.versions.rollback()
    three.versions.set_champion("v3")
    assert three.versions.rollback().version == "base-1"


def test_rollback_without_any_champion_says_so(catalog):
    with pytest.raises(NotFoundError):
        catalog.versions.rollback()


def test_registering_twice_is_once_and_keeps_the_state(three):
    three.versions.set_champion("v2")
    assert three.versions.register("v2", "base-1", "snapshot-1").state is CHAMPION


def test_a_name_cannot_be_registered_for_another_model(three):
    with pytest.raises(InputError, match="new version name"):
        three.versions.register("v2", "base-1", "snapshot-9")
    assert three.versions.get("v2").snapshot == "snapshot-1"


def test_only_a_promotion_makes_a_champion(catalog):
    with pytest.raises(InputError, match="set_champion"):
        catalog.versions.register("v2", None, None, CHAMPION)


@pytest.mark.parametrize("change", ["set_champion", "refuse", "get"])
def test_an_unknown_version_is_named(catalog, change):
    arguments = ({},) if change == "refuse" else ()
    with pytest.raises(NotFoundError, match="'v9'"):
        getattr(catalog.versions, change)("v9", *arguments)


def test_figures_of_a_decision_may_be_numpys_or_not_a_number(three):
    figures = {"dice": np.float32(0.5), "patients": np.int64(3), "half_width": math.nan, "pair": (1, 2)}
    assert three.versions.set_champion("v2", figures).decision == {
        "dice": 0.5,
        "patients": 3,
        "half_width": None,
        "pair": [1, 2],
    }
