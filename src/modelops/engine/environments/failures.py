"""What a guest says of an exception, as the error that is raised here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelops_contracts.errors import SimulationFailed

__all__ = ["as_failure"]


def as_failure(doing: str, error: Mapping[str, Any]) -> SimulationFailed:
    """``error`` is what ``modelops_runner.failures.describe_error`` gives. One of the product's own
    comes without its type and traceback, with the author's file and line."""
    hint = error.get("hint")
    if error["says_all"]:
        where = f" ({error['place']})" if error["place"] else ""
        return SimulationFailed(f"{doing}: {error['message']}{where}", hint=hint)
    message = f"{doing}: {error['error_type']}: {error['message']}"
    return SimulationFailed(message, remote_traceback=error["traceback"], hint=hint)
