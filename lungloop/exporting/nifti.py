"""`nifti`: a volume and a mask volume a study, both in the study's own shape and affine."""

from pathlib import Path

import numpy as np

from chestct.catalog.records import StudyRecord
from chestct.formats.nifti import write_label_map_nifti, write_volume_nifti
from chestct.intensity import Intensity
from lungloop.exporting.rows import FormatWriter, LeftOutError, Line, Row


class NiftiWriter(FormatWriter):
    """The study's volume and one mask volume; slices that nobody corrected are 0 in the mask."""

    legend = (
        'In NIfTI masks, slices without a row were not corrected: their zeros mean "not looked at", '
        'not "healthy".'
    )

    def add(self, study: StudyRecord, rows: list[Row]) -> list[Line]:
        """The masks that count in the volume, other versions as pictures beside it."""
        geometry = study.geometry
        if geometry is None:
            raise LeftOutError(
                study.name,
                "loose pictures have no place in a patient, so no NIfTI can be written; "
                "export them with --format png",
            )
        image, mask = Path("images") / f"{study.name}.nii.gz", Path("masks") / f"{study.name}.nii.gz"
        for path in (image, mask):
            (self._folder / path).parent.mkdir(exist_ok=True)
        view = np.zeros(geometry.view_shape, np.uint8)
        lines = []
        for row in rows:
            if row.is_chosen:
                view[row.slice.index] = row.label_map(self._catalog)
                lines.append(row.line(image, mask))
            else:
                lines.append(row.line(image, self.mask_png(row)))
        slices = self._catalog.slices.of_study(study.id)
        pixels = np.stack([self._catalog.slices.read_pixels(record) for record in slices])
        dtype = np.int16 if study.intensity is Intensity.HU else np.uint8
        write_volume_nifti(self._folder / image, pixels.astype(dtype), geometry)
        write_label_map_nifti(self._folder / mask, view, geometry)
        return lines
