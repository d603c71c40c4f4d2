"""The scan page: somebody's own CT, segmented and shown; kept for a stated time, never learned from."""

from ml_backend.page.scan.views import scan_page

__all__ = ["scan_page"]
