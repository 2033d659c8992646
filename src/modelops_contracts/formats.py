"""Versions of what is written down or spoken; constants alone, cheap to import."""

from __future__ import annotations

#: Protocol between the engine and the author's code; part of every sim_key.
WIRE_VERSION = 1
#: Bundles that are pushed.
BUNDLE_FORMAT = 2
