"""The results store: append-only, keyed by content, the same on a disk and in a bucket."""
