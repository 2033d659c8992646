"""`mops bundle clone`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size


@dataclass(frozen=True, slots=True)
class Cloned:
    """A project that was made of a bundle."""

    root: str
    reference: str
    digest: str
    content: str
    files: int
    bytes: int


def render(answer: Cloned, screen: Screen) -> Iterator[str]:
    yield f"Cloned {answer.reference} into {answer.root}"
    yield f"{plural(answer.files, 'file')} ({size(answer.bytes)})"
    yield f"Digest: {answer.digest}"


@command(answer=Cloned, render=render)
@click.argument("reference", metavar="REF")
@click.argument("directory", metavar="DIR", required=False)
def clone(call: Call, reference: str, directory: str | None) -> Cloned:
    """Make a project of a bundle.

    REF is `name:tag` in the current environment, `host/name:tag`, `oci:/folder:tag`, or one of
    them with `@sha256:...`. DIR must be absent or empty (default: the last part of the name).
    """
    from modelops import wiring
    from modelops_bundle.transfer.clone import clone as clone_bundle

    store, wanted, name = wiring.open_reference(call.config, reference, tell=call.console.note)
    folder = Path.cwd() / (directory or name.rpartition("/")[2])
    environment = call.flags.get("env")
    reporter = call.reporter()
    try:
        done = clone_bundle(
            store,
            wanted,
            folder,
            repository=name,
            env=environment,
            partial_dir=call.config.paths.bundle_cache / "partial",
            trees=call.config.paths.bundle_cache / "trees",
            reporter=reporter,
        )
    finally:
        reporter.close()
    return Cloned(
        str(done.root), done.reference, done.manifest, done.content, done.files, done.size
    )
