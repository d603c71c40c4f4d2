"""The pages: the state of the loop."""

from ml_backend.page.views import page

__all__ = ["page"]
