"""What `lungloop doctor` looks at: one function a check, each says how to fix what it finds."""

from collections.abc import Iterator

from chestct.settings import Settings
from lungloop.diagnosis.finding import Finding, run_check
from lungloop.diagnosis.installation import INSTALLATION_CHECKS
from lungloop.diagnosis.stack import STACK_CHECKS

__all__ = ["Finding", "examine"]


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check in turn; a check that fails in a way nobody thought of is a finding too."""
    for name, check in {**INSTALLATION_CHECKS, **STACK_CHECKS}.items():
        yield run_check(name, check, settings)
