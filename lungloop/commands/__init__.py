"""Every command by name; a module is imported when its command is called, so that `--help` answers at once.

A module here defines `app`, whose commands are those of the table. It imports what it needs at its top,
except what loads torch (2 s, 250 MB): that stays inside the function, so that `lungloop COMMAND --help`
is quick too.
"""

from importlib import import_module
from typing import Any

from typer.main import get_group

# Name -> its module in this package, and the line that `lungloop --help` shows.
COMMANDS = {
    "up": (
        "local_stack",
        "Start Label Studio, the queue, the backend and workers; pre-annotate; run until Ctrl-C.",
    ),
    "down": ("local_stack", "Stop the stack of this home, and what an interrupted one left running."),
    "status": ("status", "Show services, queue, champion and counts, whether the stack is up or down."),
    "doctor": ("doctor", "Check this installation and, where a stack runs, how its parts fit together."),
    "serve": ("backend", "Serve Label Studio's ML protocol and the pages, without the rest of the stack."),
    "worker": (
        "backend",
        "Work on the queue's jobs, on any machine that reaches the queue, the database and the storage.",
    ),
    "connect": (
        "backend",
        "Make the project in the Label Studio of the settings and connect the backend; may be repeated.",
    ),
    "import": (
        "studies",
        "Take studies into the catalog and a running Label Studio. Re-importing changes nothing.",
    ),
    "preannotate": ("studies", "Ask for predictions of whatever lacks one of the model that serves it."),
    "next": ("studies", "Show what to label next, and why."),
    "sync": ("corrections", "Bring the catalog's corrections to what Label Studio holds now."),
    "retrain": ("corrections", "Ask for the one retrain job; a second request joins the first."),
    "readers": (
        "readers",
        "Show what pre-labels and active learning bring, what slices take, and labels to look at again.",
    ),
    "learning": (
        "learning",
        "Show what each retrain brought and what the next corrections are expected to bring.",
    ),
    "fit": ("train", "Train a model on the shared labelled data (LUNGLOOP_SHARED_DATA)."),
    "evaluate": ("evaluate", "Score a model version on labelled data, by patient, with intervals."),
    "simulate": (
        "simulate",
        "Replay strategies on labelled data, the masks as the reader: what beats random choice, if anything.",
    ),
    "export": (
        "export",
        "Write the corrected masks with their pictures and a table that says whose they are.",
    ),
    "segment": ("segment", "Segment ground-glass, consolidation and lung; needs no services."),
    "severity": (
        "severity",
        "Grade studies CT-0 to CT-4 by the diseased share of the lungs; needs no services.",
    ),
    "demo": ("demo", "Try the loop on phantoms: a synthetic reader corrects what Label Studio serves."),
    "models": ("model_versions", "Model versions: list, show, card, mean, promote, rollback."),
}


def load_command(name: str) -> Any:
    """One command of the table, its module imported."""
    module, _ = COMMANDS[name]
    return get_group(import_module(f"lungloop.commands.{module}").app).commands[name]
