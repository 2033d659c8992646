"""JSON that strangers wrote: manifests, configs, and what registries answer."""

from __future__ import annotations

import json
from typing import Any


def load_document(data: bytes) -> Any:
    """Return the value of some JSON; `ValueError` also for what is nested without end."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
