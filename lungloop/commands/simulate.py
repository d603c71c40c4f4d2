"""`simulate`: replay of acquisition strategies on labelled data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from chestct.settings import STRATEGY_NAMES, Settings
from lungloop.console import AsJson, answer, print_json, print_table, progress, say

# `decision` aims at the grades of studies, which the slices of a simulation do not have.
_STRATEGIES = tuple(name for name in STRATEGY_NAMES if name != "decision")
_COLUMNS = ("compared by", "strategy", "difference", "95 % interval", "p", "p adjusted")


app = typer.Typer()


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
    seeds: Annotated[
        int, typer.Option(min=1, help="First labelled sets; each strategy starts from each.")
    ] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="How often a strategy chooses.")] = 6,
    start: Annotated[int, typer.Option(min=1, help="Slices of the first set.")] = 12,
    per_round: Annotated[int, typer.Option(min=1, help="Most slices that a round adds.")] = 12,
    pixels_per_round: Annotated[
        int | None, typer.Option(min=1, help="A round also ends when so many pixels are corrected.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of each fit.")] = 32,
    start_steps: Annotated[
        int, typer.Option(min=0, help="Steps on made-up chests that every fit starts from.")
    ] = 200,
    side: Annotated[int, typer.Option(min=32, help="Of the square that slices are resized to.")] = 128,
    pool_every: Annotated[int, typer.Option(min=1, help="Every n-th slice of a study is in the pool.")] = 3,
    test_every: Annotated[int, typer.Option(min=1, help="Every n-th slice of a test study is scored.")] = 5,
    here: Annotated[
        bool, typer.Option("--here", help="In this process, whether or not workers listen to the queue.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay strategies on labelled data, the masks as the reader: what beats random choice, if anything.

    Killed anywhere, the same command goes on. Several processes may work on one folder.
    """
    # These load torch.
    from training.simulate.command import REPORT_NAME, run_simulate, shared_data_folders
    from training.simulate.plan import SimulationPlan

    settings = Settings.load()
    plan = SimulationPlan(
        data=tuple(str(one.resolve()) for one in data) if data else shared_data_folders(settings),
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
        results = run_simulate(
            settings,
            out,
            plan,
            here=here,
            on_progress=update,
            say=say,
        )
    if as_json:
        print_json(results)
        return
    print_table(_COLUMNS, _rows(results))
    for sentence in results["findings"]:
        answer(sentence)
    answer(f"report: {out / REPORT_NAME}")


def _rows(results: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (outcome, name, one["difference"], one["interval"], one["p"], one["p_adjusted"])
        for outcome, compared in results["comparisons"].items()
        for name, one in compared.items()
    ]
