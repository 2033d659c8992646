"""`mops bundle dev env`: the older name of `mops bundle env` without a name."""

from __future__ import annotations

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.bundle.env import BundleEnvironment, describe, render


@command(answer=BundleEnvironment, render=render)
def env(call: Call) -> BundleEnvironment:
    """Show where bundles of this project are kept (same as `env`)."""
    return describe(call)
