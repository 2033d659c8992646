"""Jobs: one study or calibration, from its file to its results."""
