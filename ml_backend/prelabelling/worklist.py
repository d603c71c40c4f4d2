"""The order of work, settled: what the catalog knows of a version becomes places, and the places scores."""

import logging
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

import numpy as np

from chestct.acquisition.allocation import Shares
from chestct.acquisition.strategies import strategy_named
from chestct.acquisition.worklist import Ordered, Policy, order_pool, served_score
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import VersionState
from chestct.derived.fingerprints import fill_fingerprints
from chestct.derived.grade_resolution import grade_chances_of_slices
from chestct.settings import Settings
from chestct.severity.interval import InvolvementCalibration

_LOG = logging.getLogger(__name__)

# Pictures of an older catalog that are looked at for likeness in one go; the rest the next time.
_FINGERPRINTS_AN_ORDER = 5_000
# How many places are made anew after corrections. A reader takes minutes for so many and the order is made
# anew every ten corrections; each place may cost Label Studio a request (docs/adr/0021).
HEAD = 50


@dataclass(frozen=True)
class OrderChoices:
    """What people chose about the order.

    Args:
        strategy: name of a strategy, None for the default.
        shares: of control, blank and twice-read slices.
    """

    strategy: str | None = None
    shares: Shares = field(default_factory=Shares)

    @classmethod
    def of(cls, settings: Settings) -> "OrderChoices":
        """Those of the settings, whose shares are in percent."""
        return cls(
            settings.strategy,
            Shares(
                settings.control_percent / 100, settings.blank_percent / 100, settings.twice_percent / 100
            ),
        )


@dataclass(frozen=True)
class Places:
    """An order of a version's open slices.

    Args:
        slice_ids: first to read first.
        reasons: one sentence for people for each.
        is_new: whether all places are new; otherwise only the first `HEAD` are.
    """

    model_version: str
    slice_ids: tuple[int, ...]
    reasons: tuple[str, ...]
    is_new: bool

    @property
    def scores(self) -> dict[int, float]:
        """Slice id -> the score that serves it at its place."""
        count = len(self.slice_ids)
        return {slice_id: served_score(place, count) for place, slice_id in enumerate(self.slice_ids)}

    def keep(self, catalog: Catalog) -> None:
        """Makes it the order. Label Studio is brought to it first: what is kept is what it serves."""
        catalog.worklist.keep(self.model_version, self.slice_ids, self.reasons)


def update_worklist(
    catalog: Catalog,
    model_version: str,
    choices: OrderChoices | None = None,
    calibration: InvolvementCalibration | None = None,
) -> Places:
    """The order of all open slices that a version has predicted, or of its next ones where it has an order.

    After corrections only the first `HEAD` places are made anew: those behind them keep the order they had,
    because a change of every place would be as many requests to Label Studio. Slices that were read leave.

    Args:
        choices: None for the defaults.
        calibration: of the version's card, for the chance that a correction changes its study's grade.
    Returns:
        What `Places.keep` makes the order.
    """
    before = catalog.worklist.next(catalog.predictions.count_open(model_version))
    kept = {one.slice.id: one.reason for one in before if one.model_version == model_version}
    ordered = _ordered(catalog, model_version, choices or OrderChoices(), calibration)
    wanted = dict(zip(ordered.slice_ids.tolist(), map(str, ordered.reasons), strict=True))
    if not kept:
        return Places(model_version, tuple(wanted), tuple(wanted.values()), is_new=True)
    # Predicted since that order was made: at the end, until they are among the next.
    places = dict(islice(wanted.items(), HEAD))
    for slice_id, reason in (kept | {new: wanted[new] for new in wanted if new not in kept}).items():
        places.setdefault(slice_id, reason)
    return Places(model_version, tuple(places), tuple(places.values()), is_new=False)


def head_scores(wanted: Sequence[int], now: Mapping[int, float]) -> dict[int, float]:
    """Scores that put the first tasks in order in front of the others, at the fewest changes that are simple.

    Args:
        wanted: tasks, first to serve first; the last of them is the first of those that stay as they are.
        now: task -> its score.
    Returns:
        Task -> new score, in the order of serving; empty where they are served in this order already, and
        where no number is left below the others' (after some hundred orders by one version).
    """
    known = [task for task in wanted if task in now]
    scores = [now[task] for task in known]
    if len(known) < 2 or all(one < following for one, following in pairwise(scores)):
        return {}
    head, least = known[:-1], scores[-1]
    step = least / len(known)
    if not 0.0 < least * 1e-3 < step or step < 1e-280:
        _LOG.warning("the order of the next tasks stays: no score is left below %g", least)
        return {}
    return {task: step * (place + 1) for place, task in enumerate(head)}


def least_score(slice_ids: Iterable[int], scores: Mapping[int, float]) -> float | None:
    """The score of a task: that of the first of its slices; None where none of them has a place."""
    return min((scores[one] for one in slice_ids if one in scores), default=None)


def _ordered(
    catalog: Catalog,
    model_version: str,
    choices: OrderChoices,
    calibration: InvolvementCalibration | None,
) -> Ordered:
    fill_fingerprints(catalog, _FINGERPRINTS_AN_ORDER)
    pool = catalog.pool.of_version(model_version)
    chances = grade_chances_of_slices(catalog, model_version, calibration)
    known = [chances.get(slice_id, np.nan) for slice_id in pool.slice_ids.tolist()]
    pool = replace(pool, grade_chance=np.array(known, np.float64))
    catalog.allocations.allocate(pool.slice_ids.tolist(), choices.shares)
    promoted = [one for one in catalog.versions.all() if one.state is VersionState.RETIRED]
    policy = Policy(shares=choices.shares, round_number=len(promoted))
    # Another seed for every order, and the same where nothing happened in between: a job that runs twice
    # must not shuffle the work. (With one seed for all, control slices would never come to be read.)
    seed = zlib.crc32(f"{model_version} {len(pool)} {catalog.counts()['corrected']}".encode())
    return order_pool(pool, strategy_named(choices.strategy), catalog.allocations.all(), policy, seed)
