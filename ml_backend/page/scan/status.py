"""How far a scan is, in a sentence and as a share."""

from ml_backend.page.language import Translate, duration
from ml_backend.page.scan.record import Phase, Scan


def phase_sentence(scan: Scan, ahead: int, text: Translate) -> str:
    """What happens to a scan now, and how long it still takes.

    Args:
        ahead: scans that are worked on before it.
    """
    if scan.phase is Phase.FAILED:
        return f"{text('stopped')}: {scan.error}"
    if scan.phase is Phase.DONE:
        return text("done") if scan.studies else text("nothing_usable")
    if scan.phase is Phase.READING:
        return text("reading", slices=scan.slices_total)
    if scan.phase is Phase.WAITING:
        return text("waiting", ahead=ahead)
    if not scan.slices_done:
        return text("loading_model")
    said = text("slice_of", done=scan.slices_done, total=scan.slices_total)
    if scan.seconds_left is None:
        return said
    return f"{said}, {text('left', duration=duration(scan.seconds_left, text))}"


def share_done(scan: Scan) -> float:
    """Share of the slices that are segmented, in [0, 1]."""
    return scan.slices_done / scan.slices_total if scan.slices_total else 0.0
