"""What a calibration leaves behind: its record, its findings, comparisons of its candidates."""
