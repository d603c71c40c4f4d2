"""`dicom-seg`: one DICOM SEG a study, for studies that came as DICOM."""

from pathlib import Path

import numpy as np

from chestct.catalog.records import StudyRecord
from chestct.errors import InputError
from chestct.formats.dicom_seg import MadeBy, write_dicom_seg
from lungloop.exporting.rows import FormatWriter, LeftOutError, Line, Row


class DicomSegWriter(FormatWriter):
    """The masks that count of a study as one segmentation on its source instances."""

    legend = (
        "`masks/<study>.dcm` is a DICOM SEG (segment numbers are the mask values) that refers to the\n"
        "study's own instances, which are not copied: load it beside them. A slice without a frame was not\n"
        "looked at. It names the patient by the pseudonym of `dataset.csv` and says nothing else of them;\n"
        "its UIDs are those of the source. Older versions of a mask are PNG files."
    )

    def add(self, study: StudyRecord, rows: list[Row]) -> list[Line]:
        """One file a study; its rows name no image, since the instances are not copied."""
        geometry, headers = study.geometry, self._catalog.studies.dicom_headers(study)
        if geometry is None or not headers:
            raise LeftOutError(
                study.name,
                "did not come from DICOM, so there are no instances that a DICOM SEG could refer to; "
                "export it with --format nifti or png",
            )
        mask = Path("masks") / f"{study.name}.dcm"
        (self._folder / mask).parent.mkdir(exist_ok=True)
        view = np.zeros(geometry.view_shape, np.uint8)
        chosen = [row for row in rows if row.is_chosen]
        for row in chosen:
            view[row.slice.index] = row.label_map(self._catalog)
        made_by = MadeBy.readers(
            {row.correction.model_version for row in chosen if row.correction.model_version}
        )
        try:
            if chosen:
                looked_at = [row.slice.index for row in chosen]
                write_dicom_seg(self._folder / mask, view, geometry, headers, made_by, looked_at)
        except InputError as error:
            raise LeftOutError(study.name, error.reason) from error
        return [row.line("", mask if row.is_chosen else self.mask_png(row)) for row in rows]
