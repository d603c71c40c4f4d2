"""One round: fit to what is labelled, score, look at what is open; and who is asked for next."""

import math
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch

from chestct.acquisition.strategies import strategy_named
from chestct.errors import SettingsError
from chestct.prediction import most_probable
from training.evaluate.tally import Tally
from training.simulate.learner import Learner
from training.simulate.plan import Cell, SimulationPlan
from training.simulate.pool_table import MODEL_COLUMNS, PoolFacts, corrected_pixels, uncertainty_of
from training.simulate.records import OpenSlices, PatientDice, RoundRecord
from training.simulate.slices import SimulationSlices
from training.simulate.weights import Weights

# Half of the Dice that so small a network reaches, as for the shipped weights (Lipton et al. 2014, arXiv
# 1402.1892; see training.commands.fit.LESION_THRESHOLD); set before any strategy was run, not tuned.
LESION_THRESHOLD = 0.3
# Strategies that ask for a second opinion; for the others the pool is looked at once.
_LOOKS_TWICE = frozenset({"disagreement"})


class Rounds:
    """The rounds of a plan on its slices.

    Raises:
        SettingsError: the plan asks for more slices than there are.
    """

    def __init__(self, plan: SimulationPlan, slices: SimulationSlices, learner: Learner) -> None:
        asked = plan.start_slices + plan.rounds * plan.slices_per_round
        if asked > len(slices.pool):
            raise SettingsError(
                f"{plan.rounds} rounds ask for {asked} slices and the pool holds {len(slices.pool)}; ask for "
                "fewer, or thin the pool less"
            )
        self._plan, self._slices, self._learner = plan, slices, learner
        self._facts = PoolFacts(slices.pool)
        self._test_images = np.stack([sample.image for sample in slices.test])

    def first(self, seed: int, start: Weights) -> tuple[RoundRecord, Weights]:
        """Round 0 of a seed: a random first set, fitted from weights that have seen no patient."""
        samples = [row.sample for row in self._slices.pool]
        added = first_set([sample.source for sample in samples], self._plan.start_slices, seed)
        nothing = np.zeros((self._plan.side, self._plan.side), dtype=np.uint8)
        pixels = tuple(corrected_pixels(nothing, samples[row].partial_labels) for row in added)
        # Every strategy chooses from this round, those that are asked for later too.
        return self._round(0, seed, added, pixels, start, labelled=added, twice=True)

    def next(self, cell: Cell, before: Sequence[RoundRecord], start: Weights) -> tuple[RoundRecord, Weights]:
        """The round after those that are finished, and its weights.

        Args:
            before: the cell's rounds from the first, at least that one, the last of the plan not among them.
            start: weights of the round before.
        """
        number = len(before)
        still_open = before[-1].still_open
        if still_open is None:
            raise ValueError(f"round {number - 1} is the last of its plan")
        pool = self._facts.pool(still_open.ids, still_open.doubts)
        # A strategy of its own stream: what one draws does not depend on the others.
        rng = np.random.default_rng([cell.seed, number, zlib.crc32(cell.strategy.encode())])
        order = strategy_named(cell.strategy).order(pool, rng, number - 1)
        rows = within_budget(order, still_open.corrected_pixels, self._plan)
        added = tuple(still_open.ids[row] for row in rows)
        pixels = tuple(still_open.corrected_pixels[row] for row in rows)
        labelled = (*(slice_id for record in before for slice_id in record.added), *added)
        twice = cell.strategy in _LOOKS_TWICE
        return self._round(number, cell.seed, added, pixels, start, labelled=labelled, twice=twice)

    def _round(
        self,
        number: int,
        seed: int,
        added: tuple[int, ...],
        pixels: tuple[int, ...],
        start: Weights,
        *,
        labelled: tuple[int, ...],
        twice: bool,
    ) -> tuple[RoundRecord, Weights]:
        started = time.monotonic()
        # The order in which slices were asked for must not decide what a fit draws.
        samples = [self._slices.pool[slice_id].sample for slice_id in sorted(labelled)]
        network = self._learner.fit(samples, start, fit_seed(seed, number))
        scores = self._scores(network)
        last = number == self._plan.rounds
        left = None if last else self._still_open(network, frozenset(labelled), twice)
        seconds = round(time.monotonic() - started, 2)
        return RoundRecord(number, added, pixels, scores, left, seconds), network.state_dict()

    def _scores(self, network: torch.nn.Module) -> dict[str, PatientDice]:
        tallies: dict[str, Tally] = defaultdict(Tally)
        sources = {sample.patient: sample.source for sample in self._slices.test}
        seen = self._learner.probabilities(network, self._test_images)
        for sample, probabilities in zip(self._slices.test, seen, strict=True):
            tallies[sample.patient].add(sample, probabilities, most_probable(probabilities, LESION_THRESHOLD))
        return {
            patient: PatientDice(
                sources[patient], score.lesion_dice, score.ground_glass_dice, score.consolidation_dice
            )
            for patient in sorted(tallies)
            for score in [tallies[patient].score(patient)]
        }

    def _still_open(self, network: torch.nn.Module, labelled: frozenset[int], twice: bool) -> OpenSlices:
        ids = tuple(slice_id for slice_id in range(len(self._slices.pool)) if slice_id not in labelled)
        samples = [self._slices.pool[slice_id].sample for slice_id in ids]
        images = np.stack([sample.image for sample in samples])
        seen = self._learner.probabilities(network, images)
        mirrored = self._learner.probabilities(network, images, mirrored=True) if twice else [None] * len(ids)
        uncertainties = list(map(uncertainty_of, seen, mirrored))
        pixels = tuple(
            corrected_pixels(most_probable(probabilities, LESION_THRESHOLD), sample.partial_labels)
            for probabilities, sample in zip(seen, samples, strict=True)
        )
        columns = {name: tuple(row[name] for row in uncertainties) for name in MODEL_COLUMNS}
        return OpenSlices(ids, columns, pixels)


def first_set(sources: Sequence[str], count: int, seed: int) -> tuple[int, ...]:
    """A random first set in which each source has its share, and at least one slice where there is room.

    Args:
        count: slices to draw; all where there are no more.
    """
    rng = np.random.default_rng([seed, len(sources)])
    groups: dict[str, list[int]] = defaultdict(list)
    for index in map(int, rng.permutation(len(sources))):
        groups[sources[index]].append(index)
    wanted = Counter(dict.fromkeys(sorted(groups)[:count], 1))
    while wanted.total() < min(count, len(sources)):
        # The next slice goes to the source that is the farthest behind its share.
        behind = max(sorted(groups), key=lambda name: len(groups[name]) / len(sources) * count - wanted[name])
        wanted[behind] += 1
    return tuple(index for source in sorted(groups) for index in groups[source][: wanted[source]])


def within_budget(order: npt.NDArray[np.int64], pixels: Sequence[int], plan: SimulationPlan) -> list[int]:
    """The first rows of an order that a round's budget pays for; a slice that is begun is finished.

    Args:
        order: rows, first to read first.
        pixels: corrected in each row.
    """
    rows: list[int] = order[: plan.slices_per_round].tolist()
    spent_before = accumulate((pixels[row] for row in rows), initial=0)
    most = math.inf if plan.pixels_per_round is None else plan.pixels_per_round
    return [row for row, spent in zip(rows, spent_before, strict=False) if spent < most]


def fit_seed(seed: int, number: int) -> int:
    """Seed of a round's fit: the same for every strategy, so that only the slices differ."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 2)
