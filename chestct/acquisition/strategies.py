"""Ways to say which open slice is worth a reader's minutes first.

A strategy orders the whole pool, first to read first, so that the same order serves any budget: the first
20 places are what it would ask with a budget of 20.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np

from chestct.acquisition.pool import Pool
from chestct.acquisition.ranking import Order, highest_first, merged
from chestct.errors import SettingsError

# Two of three random queries aim at the foreground: "Random 66% FG" of nnActive, which draws the area of
# every query from all / segmentation / border (arXiv 2511.19183, its strategies/randomlabel.py).
_FOREGROUND_SHARE = 2 / 3
# ClaSP-PE: 66 % of the budget, evenly over the foreground classes (arXiv 2601.13677).
_STRATIFIED_SHARE = 0.66
# ClaSP-PE's Gumbel noise shrinks exponentially with the rounds. It starts at scale 1, as in power sampling
# (beta = 1); that it halves is our choice, for the paper's constant belongs to its own number of rounds.
_NOISE_HALVES_EVERY_ROUNDS = 1.0


class Strategy(Protocol):
    """One way to order a pool."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    def order(self, pool: Pool, rng: np.random.Generator, round_number: int = 0) -> Order:
        """The whole pool, first to read first.

        Args:
            pool: N open slices.
            rng: the only source of chance: the same state gives the same order.
            round_number: how many models were promoted before, from 0.
        Returns:
            (N,) int64, a permutation of range(N).
        """
        ...


class Random:
    """Every open slice is as likely as any other to be next."""

    name = "random"

    def order(self, pool: Pool, rng: np.random.Generator, round_number: int = 0) -> Order:
        return rng.permutation(len(pool)).astype(np.int64)


class ForegroundRandom:
    """The baseline that is hard to beat: chance, but two of three places where lesion may be.

    Slices whose lesion zone is not known count as without one; the other third of the places finds them.

    Source: "Random 66% FG" of nnActive, arXiv 2511.19183. There the foreground is the ground truth; here it
        is what the model cannot rule out.
    """

    name = "foreground-random"

    def order(self, pool: Pool, rng: np.random.Generator, round_number: int = 0) -> Order:
        everything = rng.permutation(len(pool)).astype(np.int64)
        foreground = rng.permutation(np.flatnonzero(pool.may_hold_lesion)).astype(np.int64)
        return merged([foreground, everything], [_FOREGROUND_SHARE, 1 - _FOREGROUND_SHARE])


@dataclass(frozen=True)
class HighestFirst:
    """By a column of the pool, highest first; equal and not known: by the next column."""

    name: str
    columns: tuple[str, ...]

    def order(self, pool: Pool, rng: np.random.Generator, round_number: int = 0) -> Order:
        return highest_first(rng, *(getattr(pool, column) for column in self.columns))


# The most uncertain first, summed over the zone a reader looks at.
_ENTROPY = HighestFirst("entropy", ("zone_entropy",))
# Where the model's own views contradict each other first (BALD: Houlsby et al. 2011, arXiv 1112.5745).
_DISAGREEMENT = HighestFirst("disagreement", ("disagreement", "zone_entropy"))
# The likeliest to change its study's CT grade first.
_DECISION = HighestFirst("decision", ("grade_chance", "zone_entropy"))


class ClaspPE:
    """Places shared between uncertainty of ground-glass, of consolidation and of anything; noise at first.

    A third of the places goes to the highest log U_c + noise of each foreground class, the rest to the
    highest log H + noise, so that the rare class is not drowned by the common one. A slice that is certain of
    a class (U_c = 0, or not known) takes none of its places; without any (H = 0) it comes last, and those
    whose H is not known behind it.

    Source: ClaSP-PE, arXiv 2601.13677.
    """

    name = "clasp-pe"

    def order(self, pool: Pool, rng: np.random.Generator, round_number: int = 0) -> Order:
        scale = 0.5 ** (round_number / _NOISE_HALVES_EVERY_ROUNDS)
        orders: list[Order] = []
        for uncertainty in (pool.ground_glass_entropy, pool.consolidation_entropy, pool.zone_entropy):
            with np.errstate(divide="ignore"):
                score = np.log(np.maximum(uncertainty, 0.0)) + rng.gumbel(0.0, scale, len(pool))
            ranked = highest_first(rng, score)
            orders.append(ranked if uncertainty is pool.zone_entropy else ranked[np.isfinite(score[ranked])])
        return merged(orders, [_STRATIFIED_SHARE / 2, _STRATIFIED_SHARE / 2, 1 - _STRATIFIED_SHARE])


STRATEGIES: MappingProxyType[str, Strategy] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (Random(), ForegroundRandom(), _ENTROPY, _DISAGREEMENT, ClaspPE(), _DECISION)
    }
)
# Replayed on real data, none gave a better model for as many slices, and entropy and disagreement cost the
# reader clearly more pixels for the same model (docs/active-learning.md).
DEFAULT_STRATEGY = "foreground-random"


def strategy_named(name: str | None) -> Strategy:
    """The strategy of that name; None is the default.

    Raises:
        SettingsError: there is none of that name.
    """
    try:
        return STRATEGIES[DEFAULT_STRATEGY if name is None else name]
    except KeyError as error:
        raise SettingsError(f"the strategy is {name!r}; expected one of {', '.join(STRATEGIES)}") from error
