"""`models`: the versions, their cards, the decisions about them, and the way back."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from chestct.catalog.catalog import Catalog
from chestct.errors import LungLoopError, NotFoundError, ServiceUnavailableError, WeightsError
from chestct.job_queue import JobQueue
from chestct.model.card import read_card
from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table, say
from lungloop.context import open_catalog
from lungloop.serving_release import open_studies_sentence, release_entry
from training.report.document import as_html, as_markdown
from training.report.model_card import model_card_page
from training.report.rendering import write_whole

models = typer.Typer(no_args_is_help=True, help="Model versions: list, show, card, mean, promote, rollback.")
app = typer.Typer()
app.add_typer(models, name="models", epilog="Example: lungloop models list")


@models.command("list", epilog="Example: lungloop models list --json")
def list_(as_json: AsJson = False) -> None:
    """Every version, its state and what was decided about it."""
    with open_catalog(Settings.load()) as catalog:
        versions = catalog.versions.all()
    if as_json:
        fields = ("version", "state", "created_at", "parent", "decision")
        print_json([{name: getattr(record, name) for name in fields} for record in versions])
    else:
        rows = [(record.version, record.state, record.created_at[:19], record.parent) for record in versions]
        print_table(("version", "state", "created", "parent"), list(rows))


@models.command(epilog="Example: lungloop models show base-4")
def show(version: str, as_json: AsJson = False) -> None:
    """A version's card and the decision about it."""
    settings = Settings.load()
    card = read_card(settings.weights_dir, version).as_dict()
    try:
        with open_catalog(settings) as catalog:
            record = dataclasses.asdict(catalog.versions.get(version))
    except LungLoopError as error:
        say(f"the catalog says nothing of {version}: {error}")
        record = {"state": None, "decision": None}
    entry = {"card": card, "state": record["state"], "decision": record["decision"]}
    if as_json:
        print_json(entry)
        return
    print_table(
        ("field", "value"),
        [("state", entry["state"]), *((name, value) for name, value in card.items() if name != "version")],
    )
    print_table(("decision", ""), list((entry["decision"] or {}).items()))


@models.command(epilog="Example: lungloop models card base-4 --out base-4.html")
def card(
    version: str,
    out: Annotated[
        Path | None,
        typer.Option(help="A file that ends in .md or .html; Markdown on stdout where not given."),
    ] = None,
) -> None:
    """A version's card as a page to read: data, scores, calibration, failures, how to reproduce."""
    if out is not None and out.suffix not in {".md", ".html"}:
        raise typer.BadParameter(
            f"{out} ends in {out.suffix or 'nothing'}; expected .md or .html", param_hint="--out"
        )
    settings = Settings.load()
    model_card = read_card(settings.weights_dir, version)
    try:
        with open_catalog(settings) as catalog:
            decision = catalog.versions.get(version).decision
    except (ServiceUnavailableError, NotFoundError):
        decision = None  # a shipped version, or one from elsewhere: nothing was decided here
    page = model_card_page(model_card, decision)
    text = as_html(page) if out is not None and out.suffix == ".html" else as_markdown(page)
    if out is None:
        answer(text.rstrip())
    else:
        write_whole(out, text)
        answer(f"card: {out}")


@models.command(epilog="Example: lungloop models mean soup fit-a fit-b")
def mean(
    version: Annotated[str, typer.Argument(help="Name of the new version.")],
    of: Annotated[list[str], typer.Argument(help="Versions that were fitted from one parent.")],
    as_json: AsJson = False,
) -> None:
    """Average the weights of versions, scored on the shared labelled data (LUNGLOOP_SHARED_DATA)."""
    from training.commands.mean_of_versions import run_mean  # loads torch

    settings = Settings.load()
    mean_card = run_mean(settings, version, of)
    if as_json:
        print_json(mean_card.as_dict())
    else:
        answer(f"{mean_card.version} is in {settings.weights_dir / mean_card.version}")


@models.command(epilog="Example: lungloop models promote v0002-1f3a9c2e")
def promote(
    version: str,
    reason: Annotated[str, typer.Option(help="Kept with the decision.")] = "",
    open_studies: Annotated[
        bool,
        typer.Option(
            "--open-studies",
            help="It serves only the studies that it learned from; the champion goes on serving all others.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version serve, whatever the gate said; Label Studio follows."""
    from chestct.model.weights import load_version  # loads torch

    settings = Settings.load()
    try:
        # Read whole: a damaged model would stop every prediction.
        card, _ = load_version(settings.weights_dir, version)
    except WeightsError as error:
        raise NotFoundError(f"{version} cannot serve: {error}") from error
    with open_catalog(settings) as catalog:
        if version not in [record.version for record in catalog.versions.all()]:
            # Made by `lungloop fit`, or copied from another installation.
            catalog.versions.register(version, card.parents[0] if card.parents else None, card.snapshot)
        decision = {"promote": True, "by": "a person", "reasons": [reason or "promoted by hand"]}
        if open_studies:
            decision |= {"promote": False, "serves": "open studies"}
            catalog.versions.serve_open_studies(version, decision=decision)
        else:
            catalog.versions.set_champion(version, decision)
        _follow(settings, catalog, as_json)


@models.command(epilog="Example: lungloop models rollback")
def rollback(as_json: AsJson = False) -> None:
    """Back to what served before; Label Studio follows."""
    settings = Settings.load()
    with open_catalog(settings) as catalog:
        catalog.versions.rollback()
        _follow(settings, catalog, as_json)


def _follow(settings: Settings, catalog: Catalog, as_json: bool) -> None:
    """The switch is made; Label Studio's order and pre-labels follow in a job."""
    release = catalog.versions.required_release()
    entry = release_entry(release)
    for version in release.versions:
        try:
            read_card(settings.weights_dir, version)
        except WeightsError as error:
            say(f"{version} cannot serve: {error}")
    try:
        job_id = JobQueue(settings.redis_url).enqueue_follow_champion(release.name)
    except LungLoopError as error:
        job_id = None
        say(f"Label Studio follows with the next `lungloop up`: {error}")
    if as_json:
        print_json({"champion": release.default, "release": entry, "follow_job": job_id})
    else:
        answer(f"{release.default} is the champion")
        if sentence := open_studies_sentence(entry):
            answer(sentence)
