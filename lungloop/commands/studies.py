"""`import`, `preannotate` and `next`: studies on their way to a reader."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chestct.errors import LungLoopError, NotFoundError, ServiceUnavailableError, SettingsError
from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table, progress, say

if TYPE_CHECKING:
    from chestct.catalog.catalog import Catalog


class Layout(StrEnum):
    """How a folder of studies is laid out."""

    AUTO = "auto"
    MOSMED = "mosmed"
    NIFTI = "nifti"
    IMAGES = "images"
    COVID_CT_SEG = "covid-ct-seg"
    MEDSEG = "medseg"
    DICOM = "dicom"
    KAGGLE = "kaggle"


class MasksAs(StrEnum):
    """What masks made elsewhere become; `lungloop.external_masks` loads too much for --help."""

    LABELS = "labels"
    PRELABELS = "prelabels"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("import", epilog="Example: lungloop import ~/MosMedData --layout mosmed")(import_)
    app.command(epilog="Example: lungloop preannotate --wait")(preannotate)
    app.command("next", epilog="Example: lungloop next -n 5 --json")(next_)


def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders and zip archives.", show_default=False)],
    layout: Annotated[Layout, typer.Option(help="`auto` tells by content.")] = Layout.AUTO,
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
        typer.Option(help="`labels` of record (they train and test), or `prelabels` that a reader corrects."),
    ] = MasksAs.LABELS,
    as_json: AsJson = False,
) -> None:
    """Take studies into the catalog and, where a stack runs, into Label Studio. Twice is once."""
    # nibabel, SQLAlchemy and the rest: not for --help.
    from chestct.formats.layouts import discover
    from lungloop.context import open_catalog
    from lungloop.external_masks import joining, parse_mask_labels
    from lungloop.importing import import_studies

    if masks is None and (mask_labels is not None or masks_as is not MasksAs.LABELS):
        raise SettingsError("--mask-labels and --masks-as speak of masks; give them with --masks")
    settings = Settings.load()
    found = discover(paths, layout.value)
    if masks is not None:
        labels = None if mask_labels is None else parse_mask_labels(mask_labels)
        found = joining.with_masks(found, masks, labels, joining.MasksAs(masks_as.value))
    with open_catalog(settings, create=True) as catalog:
        with progress("import") as update:
            report = import_studies(catalog, found, layout.value, lambda done, name: update(done, None, name))
        follow_up = _hand_over(catalog, settings)
    for source, note in report.notes:
        say(f"note: {source}: {note}")
    for failed in report.failed:
        say(f"not imported: {failed.source}: {failed.reason}")
    if as_json:
        print_json({**report.as_dict(), **follow_up})
    else:
        answer(f"{len(report.created)} new studies with {report.slices} slices, {report.known} known already")
    if report.failed:
        raise typer.Exit(1)


def _hand_over(catalog: "Catalog", settings: Settings) -> dict[str, object]:
    """Tasks and predictions for what is new; the studies are safe in the catalog whatever happens."""
    # httpx and RQ: not for --help.
    from lungloop.stack.handing_over import hand_over

    if settings.label_studio_url is None or settings.project_id is None:
        say("no stack runs: tasks and predictions follow with `lungloop up`")
        return {"tasks": None, "preannotate_job": None}
    try:
        return hand_over(catalog, settings)
    except LungLoopError as error:
        say(f"imported, but not handed over to Label Studio yet (`lungloop up` will): {error}")
        return {"tasks": None, "preannotate_job": None}


def preannotate(
    wait: Annotated[bool, typer.Option("--wait", help="Until every slice has its prediction.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for predictions of whatever lacks one of the champion."""
    # RQ and SQLAlchemy: not for --help.
    from chestct.job_queue import JobQueue
    from lungloop.context import open_catalog
    from lungloop.stack.waiting import wait_for_preannotation

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
        answer(f"{counts['predicted']} of {counts['slices']} slices have a prediction of the champion")
    if wait and left:
        raise ServiceUnavailableError(
            "pre-annotation", f"{left} slices still lack a prediction; see the logs"
        )


def next_(
    count: Annotated[int, typer.Option("-n", min=1, help="How many slices, or studies to settle.")] = 10,
    study: Annotated[
        str | None, typer.Option(help="Which slices of this study to correct to settle its grade.")
    ] = None,
    to_settle: Annotated[
        bool, typer.Option("--to-settle", help="Studies whose grade is in doubt, and the slices to correct.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What to label next, and why."""
    if study is not None or to_settle:
        _to_settle(study, count, as_json)
        return
    # SQLAlchemy: not for --help.
    from lungloop.context import open_catalog
    from lungloop.next_slices import next_slices

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


def _to_settle(study: str | None, count: int, as_json: bool) -> None:
    # SQLAlchemy: not for --help.
    from chestct.model.card import calibration_of_version
    from lungloop.context import open_catalog
    from lungloop.grade_resolution import grade_resolution_of, undecided_grades

    settings = Settings.load()
    with open_catalog(settings) as catalog:
        champion = catalog.versions.champion()
        if champion is None:
            raise NotFoundError("there is no champion yet; `lungloop up` makes the shipped weights champion")
        calibration = calibration_of_version(settings.weights_dir, champion.version)
        if study is not None:
            found = [grade_resolution_of(catalog, champion.version, study, calibration)]
        else:
            found = undecided_grades(catalog, champion.version, calibration)
    shown = [one.as_dict() for one in found[:count]]
    if as_json:
        print_json(shown[0] if study is not None else shown)
        return
    for one in found[:count]:
        answer(one.sentence())
    if not found:
        say(f"no grade is in doubt among the studies that {champion.version} has predicted")
    elif len(found) > count:
        say(f"{len(found) - count} more studies; -n {len(found)} names all")
