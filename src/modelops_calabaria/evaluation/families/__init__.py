"""Observation noise: the probability of what was observed given what was simulated."""
