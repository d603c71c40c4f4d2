"""Corrected masks as a dataset, one module a format behind `rows.FormatWriter`."""

from lungloop.exporting.dataset import FORMATS, ExportFormat, ExportReport, export_dataset
from lungloop.exporting.rows import COLUMNS

__all__ = ["COLUMNS", "FORMATS", "ExportFormat", "ExportReport", "export_dataset"]
