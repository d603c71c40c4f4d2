"""The readable page of a model version, from its card and from what was decided about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chestct.model.card import ModelCard
from training.report.card_scores import (
    definitions,
    further_table,
    name_of,
    overlap_table,
    sets_of,
    weaknesses,
)
from training.report.document import Document, Section

_NETWORKS = {"unet": "U-Net", "unetplusplus": "U-Net++", "fpn": "FPN", "pspnet": "PSPNet"}


def model_card_page(card: ModelCard, decision: Mapping[str, Any] | None = None) -> Document:
    """The card as a page: what it is, data, scores, calibration, failures, how to reproduce.

    Args:
        card: of any age; what an old card does not hold is said to be missing.
        decision: of the gate or of a person, as the catalog keeps it.
    """
    sections = [
        Section("", paragraphs=[_OPENING]),
        _identity(card),
        _data(card),
        *_scores(card),
        _calibration(card),
        *_decision(decision),
        _failures(card),
        _reproduction(card),
    ]
    return Document(f"Model card: {card.version}", sections)


_OPENING = (
    "Research software, not a medical device. The figures below say what to expect on data like that "
    "which they were measured on; nothing here was tested in a clinic."
)


def _identity(card: ModelCard) -> Section:
    kind, _, encoder = card.architecture.partition("/")
    network = f"{_NETWORKS.get(kind, kind)}, encoder {encoder}" if encoder else card.architecture
    low, high = card.window_hu
    rows = [
        (
            "Purpose",
            "first guess of ground-glass, consolidation and lung on axial chest CT, for a reader to correct",
        ),
        ("Network", f"{network}; one grey channel, {card.input_size} x {card.input_size} pixels"),
        ("Classes", ", ".join(name.replace("_", "-") for name in card.classes)),
        ("Input", f"HU through the window [{low:g}, {high:g}], or 8-bit grey levels / 255"),
        ("Fitted from", " from ".join(f"`{parent}`" for parent in card.parents) or "no earlier version"),
        ("Made", card.created_at[:16].replace("T", " ") + " UTC"),
        ("Licence of its data", card.data_licence or "not stated on the card"),
    ]
    if averaged := card.training.get("mean_of"):
        rows.insert(4, ("Mean of", ", ".join(f"`{version}`" for version in averaged)))
    if card.snapshot:
        rows.insert(5, ("Data snapshot", f"`{card.snapshot}`"))
    if card.weights_sha256:
        rows.append(("SHA-256 of the weights", f"`{card.weights_sha256}`"))
    return Section("What it is", table=[("", ""), *rows])


def _data(card: ModelCard) -> Section:
    heading = "What it was fitted on"
    split = (
        "Splits are by patient, as far as a source names its patients. A class that a source does not label "
        "adds nothing to the loss and has no score."
    )
    if card.data:
        header = ("Source", "What its labels tell apart", "Fitted", "Set aside, never fitted", "Licence")
        rows = [header, *(_source(source) for source in card.data)]
        return Section(heading, table=rows, after=[split, *map(str, card.notes)])
    if card.snapshot:
        parent = f" from `{card.parents[0]}`" if card.parents else ""
        text = (
            f"Retrained{parent} on snapshot `{card.snapshot}` of this installation: its readers' "
            "corrections, with older labels replayed beside them. The frozen test patients are never in a "
            "snapshot's training part. The card does not count the slices."
        )
    else:
        text = "The card does not name its slices and patients; its licence line above names the sources."
    return Section(heading, paragraphs=[text], after=[split, *map(str, card.notes)])


def _source(source: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name_of(str(source.get("source", ""))),
        str(source.get("labels", "")),
        _amount(source.get("fitted")),
        _amount(source.get("held_out")),
        str(source.get("licence", "")) or "as above",
    )


def _amount(side: object) -> str:
    """ "7 patients, 789 slices", with the patients' names where they are few."""
    if not isinstance(side, Mapping) or not side.get("slices"):
        return "none"
    patients, slices = int(side.get("patients", 0)), int(side["slices"])
    amount = f"{_counted(patients, 'patient')}, {_counted(slices, 'slice')}"
    names = side.get("names") or ()
    return f"{amount}: {', '.join(map(str, names))}" if names else amount


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _scores(card: ModelCard) -> Iterator[Section]:
    sets = sets_of(card.metrics)
    if not sets:
        yield Section("Scores", paragraphs=["The card holds no scores. Measure it: see the last section."])
        return
    reading = (
        "Measured on patients that the fit never saw, unless a row says otherwise. Mean over patients, "
        "pixels of a patient pooled; in brackets the 95 % bootstrap interval by patient, which one patient "
        "cannot give. Two readers agree with each other at a lesion Dice of about 0.70 (Bartoli et al.)."
    )
    yield Section("Scores", [reading], overlap_table(sets))
    further = further_table(sets)
    if further:
        yield Section("Further figures", table=further, after=[definitions(sets)])


def _calibration(card: ModelCard) -> Section:
    calibration = card.calibration
    parent = calibration.get("inherited_from")
    if parent:
        text = (
            f"The temperature {card.temperature:g} is that of `{parent}`: no labels were free to fit another."
        )
    elif card.temperature == 1.0 and "slices" not in calibration:
        text = "No temperature was fitted: the probabilities are the network's own."
    else:
        text = f"The logits are divided by the temperature {card.temperature:g}" + (
            f", fitted on {_counted(int(calibration['slices']), 'slice')} that the network was not fitted on."
            if calibration.get("slices")
            else "."
        )
    effects = [
        f"the {name} from {calibration[before]:.3f} to {calibration[after]:.3f}"
        for name, before, after in (
            ("negative log-likelihood", "nll_before", "nll_after"),
            ("expected calibration error", "ece_before", "ece_after"),
        )
        if before in calibration and after in calibration
    ]
    if effects:
        text += f" On those slices it changes {' and '.join(effects)}."
    scored = sum(figures.get("slices", 0) for figures in sets_of(card.metrics).values())
    if calibration.get("slices") and calibration["slices"] == scored:
        text += (
            " The scores above come from these very slices, so the likelihood and the calibration error "
            "among them lean a little to the bright side; Dice hardly depends on the temperature."
        )
    return Section("Calibration", paragraphs=[text])


def _decision(decision: Mapping[str, Any] | None) -> Iterator[Section]:
    if decision:
        verdict = "Promoted" if decision.get("promote") else "Refused"
        if decision.get("serves") == "open studies":
            verdict = "Promoted for the studies that it learned from"
        by = f" by {decision['by']}" if decision.get("by") else " by the gate"
        yield Section(
            "What was decided", [f"{verdict}{by}."], bullets=list(map(str, decision.get("reasons", ())))
        )


def _failures(card: ModelCard) -> Section:
    unscored = (
        "What its data does not show (other diseases, effusion, children, other scanners) was never scored: "
        "expect nothing of it there."
    )
    failures = [*map(str, card.known_failures), *weaknesses(sets_of(card.metrics)), unscored]
    return Section("Known failures and limits", bullets=failures)


def _reproduction(card: ModelCard) -> Section:
    score = f"lungloop evaluate /path/to/labelled-data --model {card.version} --out scores"
    command = str(card.training.get("command", ""))
    if command == "retrain":
        first = (
            "It was made by the queued job of `lungloop retrain`; only the installation that holds its "
            "snapshot can repeat it."
        )
        lines: Sequence[str] = [score]
    elif command:
        first = (
            "Arithmetic differs between machines and numbers of threads: expect the figures within their "
            "noise, not the same bytes. Choose another name for the copy, since versions never change."
        )
        lines = ["export LUNGLOOP_SHARED_DATA=/path/to/data", *command.split("; "), score]
    else:
        first = "The card does not hold the command that made it. Its scores can be measured again:"
        lines = [score]
    config = card.training.get("config")
    fields = config.items() if isinstance(config, Mapping) else ()
    settings = "; ".join(f"{name} {value}" for name, value in fields if value != {})
    after = [f"Settings of the last fit: {settings}."] if settings else []
    return Section("How to reproduce", [first], code=lines, after=after)
