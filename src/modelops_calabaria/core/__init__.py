"""Doors kept for existing imports; nothing is defined here."""
