"""Options that several commands offer in the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import click

from modelops.cli._complete import targets

F = TypeVar("F", bound=Callable[..., Any])


class Decorator(Protocol):
    """What click makes of an option: the function it is put on stays of its type."""

    def __call__(self, function: F, /) -> F: ...


def limit_option(what: str) -> Decorator:
    """-n, --limit: how many rows of `what` to show."""
    return click.option(
        "-n",
        "--limit",
        type=click.IntRange(min=1),
        default=20,
        show_default=True,
        help=f"{what} to show at most.",
    )


def check_policy(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A mistake is told before anything is packed, or put into a job."""
    if value is None:
        return None
    from modelops.config.model import read_policy
    from modelops_contracts.errors import InvalidValue

    try:
        return read_policy(value)
    except InvalidValue as error:
        raise click.BadParameter(str(error)) from None


max_failed_option: Decorator = click.option(
    "--max-failed",
    metavar="N|P%",
    callback=check_policy,
    help="Failures the job may have and still succeed.",
)

targets_option: Decorator = click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    metavar="ID",
    shell_complete=targets,
    help="Target (repeatable).",
)
