"""CT studies out of DICOM files: whatever a scanner, an archive (PACS) or a CD leaves in a folder."""

from chestct.formats.dicom.files import dicom_files_below, is_dicom
from chestct.formats.dicom.studies import DicomStudy, find_dicom_studies

__all__ = ["DicomStudy", "dicom_files_below", "find_dicom_studies", "is_dicom"]
