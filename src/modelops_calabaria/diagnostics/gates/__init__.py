"""The gates of a calibration, one module per family; each gives the findings of one record."""
