"""`doctor`: what is wrong with this installation, and how to mend it."""

import typer

from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: lungloop doctor")(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Check this installation and, where a stack runs, how its parts fit together."""
    # Looks at everything, torch included: not for --help.
    from lungloop.diagnosis import examine

    found = [finding.as_dict() for finding in examine(Settings.load())]
    if as_json:
        print_json(found)
    else:
        for finding in found:
            answer(f"{finding['state']:>7}  {finding['check']}: {finding['detail']}")
            if finding["mend"]:
                answer(f"         -> {finding['mend']}")
    if any(finding["state"] == "wrong" for finding in found):
        raise typer.Exit(1)
