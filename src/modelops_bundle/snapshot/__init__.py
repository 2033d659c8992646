"""Content digests of working files: never trusted blindly, rarely computed twice."""
