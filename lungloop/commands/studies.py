"""`import`, `preannotate` and `next`: studies on their way to a reader."""

from pathlib import Path
from typing import Annotated

import typer

from chestct.errors import ServiceUnavailableError, SettingsError
from chestct.formats.layouts import discover
from chestct.formats.sources import Layout
from chestct.job_queue import JobQueue
from chestct.model.card import calibrations_of
from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table, progress, say
from lungloop.context import open_catalog
from lungloop.external_masks import MasksAs, parse_mask_labels, with_masks
from lungloop.grade_resolution import grade_resolution_of, undecided_grades
from lungloop.importing import import_studies
from lungloop.next_slices import next_slices
from lungloop.stack.work import hand_over, own_testing, wait_for_preannotation

app = typer.Typer()


@app.command("import", epilog="Example: lungloop import ~/MosMedData --layout mosmed")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders and zip archives.", show_default=False)],
    layout: Annotated[Layout, typer.Option(help="`auto` tells by content.")] = "auto",
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Masks made elsewhere: a file, a folder of files named like the studies or slices, "
            "a zip of them, or a JSON export of Label Studio."
        ),
    ] = None,
    mask_labels: Annotated[
        str | None,
        typer.Option(
            help="What the masks' values or names mean, as in `1=ground_glass,2=consolidation,3=lung`; "
            "`lesion` is a lesion of unknown kind."
        ),
    ] = None,
    masks_as: Annotated[
        MasksAs,
        typer.Option(help="reference `labels` (they train and test), or `prelabels` that a reader corrects."),
    ] = MasksAs.LABELS,
    as_json: AsJson = False,
) -> None:
    """Take studies into the catalog and a running Label Studio. Re-importing changes nothing."""
    if masks is None and (mask_labels is not None or masks_as is not MasksAs.LABELS):
        raise SettingsError("--mask-labels and --masks-as speak of masks; give them with --masks")
    settings = Settings.load()
    studies = discover(paths, layout)
    if masks is not None:
        labels = None if mask_labels is None else parse_mask_labels(mask_labels)
        studies = with_masks(studies, masks, labels, masks_as)
    with open_catalog(settings, create=True) as catalog:
        with progress("import") as update:
            report = import_studies(catalog, studies, layout, update, own_testing(settings))
        follow_up = hand_over(catalog, settings)
    for remark in report.remarks():
        say(remark)
    if as_json:
        print_json({**report.as_dict(), **follow_up})
    else:
        answer(report.sentence())
    if report.failed:
        raise typer.Exit(1)


@app.command(epilog="Example: lungloop preannotate --wait")
def preannotate(
    wait: Annotated[bool, typer.Option("--wait", help="Until every slice has its prediction.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for predictions of whatever lacks one of the model that serves it."""
    settings = Settings.load()
    queue = JobQueue(settings.redis_url)
    with open_catalog(settings) as catalog:
        job_id = queue.enqueue_preannotate()
        if wait:
            wait_for_preannotation(catalog, queue, timeout_seconds=float("inf"))
        counts = catalog.counts()
    left = counts["slices"] - counts["predicted"]
    if as_json:
        print_json({"job": job_id, "slices": counts["slices"], "predicted": counts["predicted"]})
    else:
        answer(f"{counts['predicted']} of {counts['slices']} slices have a prediction")
    if wait and left:
        raise ServiceUnavailableError(
            "pre-annotation", f"{left} slices still lack a prediction; see the logs"
        )


@app.command("next", epilog="Example: lungloop next -n 5 --json")
def next_(
    count: Annotated[int, typer.Option("-n", min=1, help="How many slices, or undecided studies.")] = 10,
    study: Annotated[
        str | None, typer.Option(help="Which slices of this study to correct to resolve its grade.")
    ] = None,
    to_resolve: Annotated[
        bool,
        typer.Option(
            "--to-resolve", "--to-settle", help="Studies whose grade is uncertain, and the slices to correct."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what to label next, and why."""
    if study is not None or to_resolve:
        _to_resolve(study, count, as_json)
        return
    with open_catalog(Settings.load()) as catalog:
        rows = next_slices(catalog, count)
    if as_json:
        print_json([row.as_dict() for row in rows])
    elif rows:
        print_table(
            ("place", "study", "slice", "score", "why"),
            [
                (
                    "" if row.place is None else row.place,
                    row.study,
                    row.slice,
                    "" if row.score is None else f"{row.score:.3f}",
                    row.why,
                )
                for row in rows
            ],
        )
    else:
        say("nothing is open: every slice has a correction")


def _to_resolve(study: str | None, count: int, as_json: bool) -> None:
    settings = Settings.load()
    with open_catalog(settings) as catalog:
        release = catalog.versions.required_release()
        calibrations = calibrations_of(settings.weights_dir, release.versions)
        if study is not None:
            resolutions = [grade_resolution_of(catalog, release.name, study, calibrations)]
        else:
            resolutions = undecided_grades(catalog, release.name, calibrations)
    if as_json:
        entries = [resolution.as_dict() for resolution in resolutions[:count]]
        print_json(entries[0] if study is not None else entries)
        return
    for resolution in resolutions[:count]:
        answer(resolution.sentence())
    if not resolutions:
        say(f"no grade is uncertain among the studies that {release.name} has predicted")
    elif len(resolutions) > count:
        say(f"{len(resolutions) - count} more; use -n {len(resolutions)}")
