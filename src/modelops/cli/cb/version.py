"""`cb version`."""

from __future__ import annotations

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.mops.version import Version, find_version, render


@command(answer=Version, render=render)
def version(call: Call) -> Version:
    """Say which version this is, and where it runs."""
    return find_version(call.config.paths.receipt)
