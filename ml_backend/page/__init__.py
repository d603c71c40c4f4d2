"""The pages: the state of the loop, and somebody's own scan."""

from ml_backend.page.scan import scan_page
from ml_backend.page.views import page

__all__ = ["page", "scan_page"]
