"""The worklist: what the catalog knows of a release becomes ranks, and the ranks scores."""

import zlib
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from chestct.acquisition.allocation import Shares
from chestct.acquisition.strategies import strategy_named
from chestct.acquisition.worklist import Ordered, Policy, order_pool, served_score
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import VersionState
from chestct.derived.fingerprints import fill_fingerprints
from chestct.derived.grade_resolution import NOT_CALIBRATED, Calibrations, grade_chances_of_slices
from chestct.settings import Settings

# Pictures of an older catalog that are looked at for likeness in one go; the rest the next time.
_FINGERPRINTS_AN_ORDER = 5_000
# How many ranks are made anew after corrections. A reader takes minutes for so many and the worklist is made
# anew every ten corrections; each rank may cost Label Studio a request (docs/adr/0021).
HEAD = 50


@dataclass(frozen=True)
class OrderChoices:
    """What people chose about the order.

    Args:
        strategy: name of a strategy, None for the default.
        shares: of control, unassisted and double-read slices.
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
class Worklist:
    """An order of a release's open slices.

    Args:
        model_version: the release's name.
        slice_ids: first to read first.
        reasons: one sentence for people for each.
        is_new: whether all ranks are new; otherwise only the first `HEAD` are.
    """

    model_version: str
    slice_ids: tuple[int, ...]
    reasons: tuple[str, ...]
    is_new: bool

    @property
    def scores(self) -> dict[int, float]:
        """Slice id -> the score that serves it at its rank."""
        count = len(self.slice_ids)
        return {slice_id: served_score(rank, count) for rank, slice_id in enumerate(self.slice_ids)}

    def keep(self, catalog: Catalog) -> None:
        """Keeps it. Label Studio is brought to it first: what is kept is what it serves."""
        catalog.worklist.keep(self.model_version, self.slice_ids, self.reasons)


def update_worklist(
    catalog: Catalog,
    release_name: str,
    choices: OrderChoices | None = None,
    calibrations: Calibrations = NOT_CALIBRATED,
) -> Worklist:
    """The order of all open slices that a release has predicted, or of its next ones where it has an order.

    After corrections only the first `HEAD` ranks are made anew: those behind them keep the order they had,
    because a change of every rank would be as many requests to Label Studio. Slices that were read leave.

    Args:
        choices: None for the defaults.
        calibrations: of its versions, for the chance that a correction changes its study's grade.
    Returns:
        The worklist, not yet kept.
    """
    before = catalog.worklist.next(catalog.predictions.count_open(release_name))
    kept = {ordered.slice.id: ordered.reason for ordered in before if ordered.model_version == release_name}
    order = _ordered(catalog, release_name, choices or OrderChoices(), calibrations)
    reasons = dict(zip(order.slice_ids.tolist(), map(str, order.reasons), strict=True))
    if kept:
        # Predicted since that order was made: at the end, until they are among the next.
        rest = kept | {slice_id: reason for slice_id, reason in reasons.items() if slice_id not in kept}
        head = dict(islice(reasons.items(), HEAD))
        reasons = head | {slice_id: reason for slice_id, reason in rest.items() if slice_id not in head}
    return Worklist(release_name, tuple(reasons), tuple(reasons.values()), is_new=not kept)


def _ordered(
    catalog: Catalog, release_name: str, choices: OrderChoices, calibrations: Calibrations
) -> Ordered:
    fill_fingerprints(catalog, _FINGERPRINTS_AN_ORDER)
    pool = catalog.pool.of_version(release_name)
    chances = grade_chances_of_slices(catalog, release_name, calibrations)
    chance_of_each = [chances.get(slice_id, np.nan) for slice_id in pool.slice_ids.tolist()]
    pool = replace(pool, grade_chance=np.array(chance_of_each, np.float64))
    catalog.allocations.allocate(pool.slice_ids.tolist(), choices.shares)
    # Whatever came after the first model that served, whether it has served everything or not.
    later = (VersionState.RETIRED, VersionState.OPEN_STUDIES)
    promoted = [version for version in catalog.versions.all() if version.state in later]
    policy = Policy(shares=choices.shares, round_number=len(promoted))
    # Another seed for every order, and the same where nothing happened in between: a job that runs twice
    # must not shuffle the worklist. (With one seed for all, control slices would never come to be read.)
    seed = zlib.crc32(f"{release_name} {len(pool)} {catalog.counts()['corrected']}".encode())
    return order_pool(pool, strategy_named(choices.strategy), catalog.allocations.all(), policy, seed)
