"""The one error tree of the project.

Every error a user can meet derives from `LungLoopError`, so each edge (HTTP, exit code, job failure)
translates it once. Messages say what came, what was expected and what to do.
"""

from pathlib import Path


class LungLoopError(Exception):
    """Root of all errors that this project raises on purpose."""


class InputError(LungLoopError, ValueError):
    """A file or value given by the user cannot be used.

    Args:
        source: the file (or the name of the value) that is at fault.
        reason: one sentence that says what is wrong and what was expected.
    """

    def __init__(self, source: Path | str, reason: str) -> None:
        self.source = str(source)
        self.reason = reason
        super().__init__(f"{self.source}: {reason}")


class SettingsError(LungLoopError, ValueError):
    """An environment variable or option holds a value that cannot be used."""


class NotFoundError(LungLoopError, LookupError):
    """Something named by the user (a version, a slice, a study) does not exist."""


class WeightsError(LungLoopError, ValueError):
    """A weights folder is missing, damaged or of another architecture."""


class TrainingDataError(LungLoopError, ValueError):
    """The data cannot train a model: no class, no patient, a damaged mask."""


class UnfitSampleError(TrainingDataError):
    """One labelled slice cannot be learned from; the others can.

    Args:
        name: of the slice.
        reason: one sentence that says what is wrong and what was expected.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name}: {reason}")


class TrainingDivergedError(LungLoopError, ArithmeticError):
    """The loss became NaN or infinite, so nothing of the run may be kept."""


class ServiceUnavailableError(LungLoopError, ConnectionError):
    """A service that the command needs does not answer.

    Args:
        service: what is missing, in the user's words ("Label Studio", "the queue", "the database").
        reason: what was tried and what to do.
    """

    def __init__(self, service: str, reason: str) -> None:
        self.service = service
        self.reason = reason
        super().__init__(f"{service}: {reason}")


class LabelConfigError(LungLoopError, ValueError):
    """A Label Studio labelling configuration lacks a tag or a label that the backend needs."""
