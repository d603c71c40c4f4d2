"""Reports that a person reads: one file each, nothing fetched from elsewhere."""
