"""From files to label maps, overlays and a report: what `lungloop segment` does."""

from lungloop.segmenting.inputs import SegmentInput, find_inputs
from lungloop.segmenting.run import segment_inputs

__all__ = ["SegmentInput", "find_inputs", "segment_inputs"]
