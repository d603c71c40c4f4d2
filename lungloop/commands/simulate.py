"""`simulate`: replay of acquisition strategies on labelled data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from chestct.settings import STRATEGY_NAMES, Settings
from lungloop.console import AsJson, answer, print_json, print_table, progress, say
from training.simulate.plan import SimulationPlan

# `decision` aims at the grades of studies, which the slices of a simulation do not have.
_STRATEGIES = tuple(name for name in STRATEGY_NAMES if name != "decision")
_USUAL = SimulationPlan
_COLUMNS = ("compared by", "strategy", "difference", "95 % interval", "p", "p adjusted")


app = typer.Typer()


def _count(what: str, *, least: int = 1) -> Any:
    return typer.Option(min=least, help=what)


@app.command(
    epilog="Example: lungloop simulate first-simulation --data exported-dataset --seeds 3 --rounds 6"
)
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder of the simulation; named again, it goes on.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled slices, may be repeated; the shared research data where not given."),
    ] = None,
    strategy: Annotated[
        list[str] | None, typer.Option(help=f"May be repeated; {', '.join(_STRATEGIES)} where not given.")
    ] = None,
    seeds: Annotated[int, _count("First labelled sets; each strategy starts from each.")] = _USUAL.seeds,
    rounds: Annotated[int, _count("How often a strategy chooses.")] = _USUAL.rounds,
    start: Annotated[int, _count("Slices of the first set.")] = _USUAL.start_slices,
    per_round: Annotated[int, _count("Most slices that a round adds.")] = _USUAL.slices_per_round,
    pixels_per_round: Annotated[
        int | None, _count("A round also ends when so many pixels are corrected.")
    ] = None,
    steps: Annotated[int, _count("Optimiser steps of each fit.")] = _USUAL.steps,
    start_steps: Annotated[
        int, _count("Steps on phantoms that every fit starts from.", least=0)
    ] = _USUAL.start_steps,
    side: Annotated[int, _count("Of the square that slices are resized to.", least=32)] = _USUAL.side,
    pool_every: Annotated[int, _count("Every n-th slice of a study is in the pool.")] = _USUAL.pool_every,
    test_every: Annotated[int, _count("Every n-th slice of a test study is scored.")] = _USUAL.test_every,
    here: Annotated[
        bool, typer.Option("--here", help="In this process, whether or not workers listen to the queue.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay strategies on labelled data, the masks as the reader: what beats random choice, if anything.

    Killed anywhere, the same command goes on. Several processes may work on one folder.
    """
    # This loads torch.
    from training.simulate.command import REPORT_NAME, run_simulate, shared_data_folders

    settings = Settings.load()
    plan = SimulationPlan(
        data=tuple(str(folder.resolve()) for folder in data) if data else shared_data_folders(settings),
        strategies=tuple(strategy or _STRATEGIES),
        seeds=seeds,
        rounds=rounds,
        start_slices=start,
        slices_per_round=per_round,
        pixels_per_round=pixels_per_round,
        steps=steps,
        start_steps=start_steps,
        side=side,
        pool_every=pool_every,
        test_every=test_every,
    )
    with progress("simulate") as update:
        results = run_simulate(settings, out, plan, here=here, on_progress=update, say=say)
    if as_json:
        print_json(results)
        return
    _show(results)
    answer(f"report: {out / REPORT_NAME}")


def _show(results: dict[str, Any]) -> None:
    rows: list[tuple[object, ...]] = [
        (outcome, name, *(difference[key] for key in ("difference", "interval", "p", "p_adjusted")))
        for outcome, compared in results["comparisons"].items()
        for name, difference in compared.items()
    ]
    print_table(_COLUMNS, rows)
    for sentence in results["findings"]:
        answer(sentence)
