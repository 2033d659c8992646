"""What this is a build of. scripts/build_backend.py puts a copy with the commit into the wheel."""

VERSION = "0.3.0"
COMMIT = ""  # 40 hex digits; empty in a checkout, where git is asked
DIRTY = False  # whether the built files differed from the commit
