"""Which strategy chooses slices better than foreground-random, if any?

Strategies are replayed on the shared research data (`lungloop simulate`): the same first slices, the same
first weights and the same number of slices for each, the masks as the reader; a small network at 128 x 128.
Differences from foreground-random are over seeds x held-out patients. An hour on one core; a simulation in
the folder that is named first goes on (`python benchmarks/simulate.py FOLDER`).
"""

import sys
from pathlib import Path

from _results import Measurement, write

from chestct.settings import Settings
from training.simulate.command import run_simulate, shared_data_folders
from training.simulate.plan import SimulationPlan
from training.simulate.results import OUTCOMES, is_shown

STRATEGIES = ("random", "foreground-random", "entropy", "disagreement", "clasp-pe")


def main() -> None:
    settings = Settings.load()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else settings.home / "simulations" / "benchmark"
    plan = SimulationPlan(data=shared_data_folders(settings), strategies=STRATEGIES)
    results = run_simulate(
        settings,
        folder,
        plan,
        here=True,
        on_progress=lambda now: sys.stderr.write(f"{now.done} of {now.total} fits\n"),
    )
    write(
        "simulate",
        [
            measurement(results, outcome, name)
            for outcome, compared in results["comparisons"].items()
            for name in compared
        ],
    )


def measurement(results: dict, outcome: str, name: str) -> Measurement:
    """One strategy against the baseline by one outcome."""
    one = results["comparisons"][outcome][name]
    low, high = one["interval"]
    return Measurement(
        question=f"{name}: {OUTCOMES[outcome]}, difference from {results['baseline']}?",
        value=one["difference"],
        unit="Dice",
        baseline=(
            f"{results['baseline']} at {one['baseline']:.4f}; 95 % interval of the difference {low:+.4f} to "
            f"{high:+.4f}, p {one['p']:.4f}, adjusted {one['p_adjusted']:.4f}"
        ),
        goal="interval above 0 and adjusted p below 0.05",
        met=is_shown(one, better=True),
    )


if __name__ == "__main__":
    main()
