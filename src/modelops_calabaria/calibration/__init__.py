"""Calibration: propose parameter sets, have them evaluated, report a value that was confirmed."""
