"""Every text of the pages: key -> (English, Russian); `{name}` is filled in."""

from ml_backend.page.strings import scan, state

TEXTS = {**scan.TEXTS, **state.TEXTS}

__all__ = ["TEXTS"]
