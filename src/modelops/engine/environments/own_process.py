"""A guest without a process of its own: the author's code runs right here."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from modelops.engine.environments.failures import as_failure
from modelops.engine.guest import Member, Tables, batch_message, evaluation_arguments
from modelops.engine.requests import SimOutcome, SimRequest
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.errors import SimulationFailed
from modelops_contracts.evaluation import EvaluationRequest
from modelops_runner.execute import answer, run_simulation
from modelops_runner.protocol import join_tables, split_tables
from modelops_runner.wire import Wire, find_wire

__all__ = ["OwnProcessGuest"]


class OwnProcessGuest:
    """A Guest for notebooks and debugging.

    Working directory and import path are the bundle's while a call runs, and restored after it.
    With ``debug`` the author's exception is not turned into an outcome but raised as it is.
    """

    def __init__(
        self, root: Path, roots: Sequence[str], *, wire: str | None, debug: bool = False
    ) -> None:
        self._root = root
        self._roots = tuple(roots)
        self._wire_name = wire
        self._debug = debug
        self._callers = self._loaded()

    def run_batch(self, requests: Sequence[SimRequest]) -> list[SimOutcome]:
        message = batch_message(requests)
        with self._inside() as wire:
            if self._debug:
                simulations = zip(requests, message["simulations"], strict=True)
                with _staying():
                    return [
                        SimOutcome(request, "ok", run_simulation(wire, message, simulation))
                        for request, simulation in simulations
                    ]
            frames = list(answer(wire, message, b""))
        return [
            _outcome(request, header, b"".join(parts))
            for request, (header, parts) in zip(requests, frames[:-1], strict=True)
        ]

    def evaluate(
        self,
        request: EvaluationRequest,
        tables: Sequence[Tables | None],
        errors: Sequence[Mapping[str, Any] | None],
    ) -> dict[str, Any]:
        sizes = [None if entry is None else join_tables(entry)[0] for entry in tables]
        payload = b"".join(
            part for entry in tables if entry is not None for part in join_tables(entry)[1]
        )
        message = {
            "type": "evaluate",
            **evaluation_arguments(request, errors),
            "tables": sizes,
        }
        return dict(self._ask("evaluating the targets failed", message, payload)[0]["value"])

    def describe(self, kind: str, reference: str) -> dict[str, Any]:
        message = {"type": "describe", "kind": kind, "reference": reference}
        return dict(self._ask(f"describing {kind} {reference} failed", message)[0]["value"])

    def predict(
        self, targets: Sequence[str], members: Sequence[Member], *, entrypoint: str, seed: int
    ) -> dict[str, bytes]:
        joined = [join_tables(tables) for _params, tables in members]
        message = {
            "type": "predict",
            "targets": list(targets),
            "entrypoint": entrypoint,
            "seed": seed,
            "params": [dict(params) for params, _tables in members],
            "tables": [sizes for sizes, _parts in joined],
        }
        payload = b"".join(part for _sizes, parts in joined for part in parts)
        header, content = self._ask("computing predictive ranges failed", message, payload)
        return split_tables(header["tables"], content)

    def close(self) -> None:
        """Forget the bundle's modules: the next engine may run other code under the same names.

        What the caller had imported before stays: a notebook goes on with its own classes.
        """
        for name, module in self._loaded().items():
            if self._callers.get(name) is not module:
                del sys.modules[name]

    def _loaded(self) -> dict[str, ModuleType]:
        """Modules whose files lie below the root."""
        files = {name: getattr(one, "__file__", None) for name, one in sys.modules.items()}
        return {
            name: sys.modules[name]
            for name, file in files.items()
            if isinstance(file, str) and Path(file).is_relative_to(self._root)
        }

    def _ask(
        self, failing: str, message: Mapping[str, Any], payload: bytes = b""
    ) -> tuple[dict[str, Any], bytes]:
        with self._inside() as wire:
            header, parts = list(answer(wire, message, payload))[-1]
        if header["type"] == "failed":
            raise as_failure(failing, header["error"])
        return header, b"".join(parts)

    @contextlib.contextmanager
    def _inside(self) -> Iterator[Wire]:
        """The bundle's working directory and import path, for as long as a call runs."""
        path, directory = list(sys.path), Path.cwd()
        sys.path[:] = [*self._roots, *path]
        os.chdir(self._root)
        try:
            yield find_wire(self._wire_name)
        finally:
            os.chdir(directory)
            sys.path[:] = path


@contextlib.contextmanager
def _staying() -> Iterator[None]:
    """``sys.exit`` in the author's code must not end us, least of all with the code for success."""
    try:
        yield
    except SystemExit as leaving:
        raise SimulationFailed(f"the model called sys.exit({leaving.code!r})") from leaving


def _outcome(request: SimRequest, header: Mapping[str, Any], payload: bytes) -> SimOutcome:
    common = {key: header[key] for key in ("wall", "cpu", "peak_bytes")}
    if header["status"] == "ok":
        tables = split_tables(header["tables"], payload)
        return SimOutcome(request, "ok", tables, worker="inline", **common)
    error = header["error"]
    return SimOutcome(
        request,
        "failed",
        error=ErrorInfo(error["error_type"], error["message"]),
        traceback=error["traceback"],
        worker="inline",
        **common,
    )
