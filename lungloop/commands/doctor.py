"""`doctor`: what is wrong with this installation, and how to fix it."""

from dataclasses import asdict

import typer

from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json

app = typer.Typer()


@app.command(epilog="Example: lungloop doctor")
def doctor(as_json: AsJson = False) -> None:
    """Check this installation and, where a stack runs, how its parts fit together."""
    from lungloop.diagnosis import examine  # loads torch

    findings = list(examine(Settings.load()))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            answer(f"{finding.state:>7}  {finding.check}: {finding.detail}")
            if finding.mend:
                answer(f"         -> {finding.mend}")
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)
