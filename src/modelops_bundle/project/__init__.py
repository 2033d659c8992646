"""A project: its folder, its configuration, and which of its files are in the bundle."""
