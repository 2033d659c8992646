"""Diagnostics: judge a calibration by numbers first, then show it."""
