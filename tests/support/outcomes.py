"""Finished simulations with real tables, for tests of the store."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import polars as pl

from modelops.engine.requests import SimOutcome, SimRequest
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import SimTask

CODE = "sha256:" + "c" * 64
BUNDLE = "sha256:" + "a" * 64


def ipc(frame: pl.DataFrame, *, stream: bool = False) -> bytes:
    buffer = io.BytesIO()
    if stream:
        frame.write_ipc_stream(buffer)
    else:
        frame.write_ipc(buffer)
    return buffer.getvalue()


def sim_request(seed: int = 1, *, replicate: int = 0, **params: Any) -> SimRequest:
    task = SimTask(
        bundle_ref=BUNDLE,
        entrypoint="models.m.Sir/baseline",
        params=UniqueParameterSet.from_dict(params or {"beta": 0.5}),
        seed=seed,
    )
    key = hashlib.blake2b(task.task_id().encode(), digest_size=32).hexdigest()
    return SimRequest(key, task, replicate)


def ok(request: SimRequest, **tables: pl.DataFrame | bytes) -> SimOutcome:
    content = {k: v if isinstance(v, bytes) else ipc(v) for k, v in tables.items()}
    return SimOutcome(request, "ok", content, wall=0.01, cpu=0.01, peak_bytes=10, worker="slot-0")


def failed(request: SimRequest, status: str = "failed") -> SimOutcome:
    error = ErrorInfo("ValueError", "negative rate")
    return SimOutcome(request, status, error=error, traceback="Traceback ...\nValueError")


def incidence(seed: int, n: int = 5) -> pl.DataFrame:
    days = list(range(n))
    return pl.DataFrame({"day": days, "cases": [seed * day for day in days], "seed": [seed] * n})
