"""The artifact's outer form: references, media types and the stores that hold it."""
