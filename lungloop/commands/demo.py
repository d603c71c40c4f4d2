"""`demo`: the whole loop on phantoms, with a synthetic reader in place of a radiologist."""

import dataclasses
from typing import Annotated

import typer

from chestct.derived.reader_changes import count_changes
from chestct.errors import ServiceUnavailableError
from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table, progress
from lungloop.context import open_catalog
from lungloop.demo.phantoms import PhantomTruth
from lungloop.demo.reader import SliceReading, SyntheticReader, dice
from ml_backend.label_studio.client import LabelStudio
from ml_backend.sync import reconcile

demo = typer.Typer(
    no_args_is_help=True,
    help="Try the loop on phantoms: a synthetic reader corrects what Label Studio serves.",
)
app = typer.Typer()
app.add_typer(demo, name="demo", epilog="Example: lungloop demo correct 12")

_NEXT = (
    "Next: press Start Training in Label Studio (Settings > Model), or run `lungloop retrain --wait`; "
    "`lungloop models list` and the pages then tell what was decided and why."
)


@demo.command(epilog="Example: lungloop demo correct 12")
def correct(
    slices: Annotated[
        int, typer.Argument(min=1, help="How many; a study task is read as a whole.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Read the next slices as a reader would: what Label Studio serves, corrected to the phantoms' truth."""
    settings = Settings.load()
    client = LabelStudio.from_settings(settings)
    if settings.project_id is None:
        raise ServiceUnavailableError("Label Studio", "no project is known; run `lungloop up`")
    with open_catalog(settings) as catalog:
        reader = SyntheticReader(catalog, client, settings.project_id, PhantomTruth(catalog, settings.home))
        with progress("reading") as update:
            readings = reader.read(slices, update)
        # Webhooks are hints: a retrain that is asked for now shall find every one of these.
        reconcile(catalog, client, settings.project_id)
        count_changes(catalog)
        counts = catalog.counts()
    client.close()
    shown = dice(_pooled(readings))
    if as_json:
        rows = [dataclasses.asdict(reading) | {"lesion_dice": reading.lesion_dice} for reading in readings]
        print_json(
            {
                "readings": rows,
                "lesion_dice_of_prelabels": shown,
                "corrected": counts["corrected"],
                "open": counts["open"],
            }
        )
        return
    _show(readings)
    answer(
        f"{len(readings)} slices read; {counts['corrected']} of {counts['slices']} have a correction. "
        + ("" if shown is None else f"What was shown agreed with the truth by a lesion Dice of {shown:.2f}.")
    )
    answer(_NEXT if readings else "Nothing is left to read.")


def _show(readings: list[SliceReading]) -> None:
    if readings:
        print_table(
            ("study", "slice", "pre-label of", "its lesion Dice", "pixels changed", "seconds"),
            [
                (
                    reading.study,
                    reading.slice,
                    reading.model_version or "(nothing shown)",
                    "" if reading.lesion_dice is None else f"{reading.lesion_dice:.2f}",
                    f"{100 * reading.changed_fraction:.1f} %",
                    f"{reading.seconds:.0f}",
                )
                for reading in readings
            ],
        )


def _pooled(readings: list[SliceReading]) -> tuple[int, int, int]:
    both, only_shown, only_true = (sum(reading.overlap[place] for reading in readings) for place in range(3))
    return both, only_shown, only_true
