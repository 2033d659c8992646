"""The bytes of a bundle: its manifest, its layers, and those of the existing suite."""
