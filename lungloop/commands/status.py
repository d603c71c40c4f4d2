"""`status`: what runs, how far the work is."""

from typing import Any

import typer

from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table
from lungloop.serving_release import open_studies_sentence
from lungloop.state import state_of

app = typer.Typer()


@app.command(epilog="Example: lungloop status --json")
def status(as_json: AsJson = False) -> None:
    """Show services, queue, champion and counts, whether the stack is up or down."""
    state = state_of(Settings.load())
    if as_json:
        print_json(state)
    else:
        _show(state)


def _show(state: dict[str, Any]) -> None:
    print_table(("service", ""), list(state["services"].items()))
    queue, counts = state["queue"], state["counts"]
    answer("")
    if queue["queued"] is not None:
        answer(f"queue: {queue['queued']} waiting, {queue['running']} running, {queue['failed']} failed")
    for job in queue["jobs"]:
        left = job["seconds_left"]
        answer(
            f"  {job['kind']}: {job['progress']:.0%}" + (f", {left:.0f} s left" if left is not None else "")
        )
    answer(f"champion: {state['champion'] or 'none'}")
    if state["release"] and (sentence := open_studies_sentence(state["release"])):
        answer(sentence)
    answer(
        f"{counts['studies']} studies, {counts['slices']} slices: {counts['predicted']} predicted, "
        f"{counts['corrected']} corrected, "
        f"{counts['accepted']} accepted with their study, {counts['open']} open"
    )
    if counts["graded"]:
        answer(f"{counts['graded']} studies graded by a reader")
    if (tests := state["test_readings"]) and tests["of"]:
        answer(
            f"test readings: {tests['done']} of {tests['of']} slices of the {tests['patients']} patients "
            "who are held back to judge models by"
        )
    # Before the first retrain there is nothing to tell.
    if state["learning"] and state["learning"]["versions"]:
        answer("")
        for sentence in state["learning"]["sentences"]:
            answer(f"Learning: {sentence[0].lower()}{sentence[1:]}")
        answer("More: lungloop learning")
    # Before anybody has read a slice, four sentences would say that nothing is known.
    if state["readers"] and state["readers"]["readings"]:
        answer("")
        for sentence in state["readers"]["sentences"]:
            answer(sentence)
        answer("More: lungloop readers")
