"""What the guest does with each message: pure functions of the message and the wire."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from modelops_runner.failures import describe_error
from modelops_runner.protocol import join_tables, split_tables
from modelops_runner.wire import Wire

__all__ = ["answer", "run_simulation", "simulate_all"]

Frame = tuple[dict[str, Any], Sequence[bytes]]

#: Memory is not looked at more often: asking the system costs as much as a very small simulation.
_PEAK_SECONDS = 0.01


def run_simulation(
    wire: Wire, message: Mapping[str, Any], simulation: Mapping[str, Any]
) -> Mapping[str, bytes]:
    """One call of the author's model: a table per output as bytes."""
    outputs, config = message.get("outputs"), message.get("config")
    tables = wire.simulate(
        message["entrypoint"],
        dict(simulation["params"]),
        simulation["seed"],
        None if outputs is None else list(outputs),
        None if config is None else dict(config),
    )
    return _checked(tables)


def _checked(tables: Any) -> dict[str, bytes]:
    if not isinstance(tables, Mapping):
        raise TypeError(f"the wire function must return a mapping, not {type(tables).__name__}")
    for name, table in tables.items():
        if not isinstance(name, str) or not isinstance(table, (bytes, bytearray, memoryview)):
            raise TypeError(
                f"output {name!r} must be bytes under a name, not {type(table).__name__}"
            )
    # "metadata" repeats the request; results are keyed by it already.
    return {name: bytes(table) for name, table in tables.items() if name != "metadata"}


def simulate_all(wire: Wire, message: Mapping[str, Any]) -> Iterator[Frame]:
    """One frame per simulation as it finishes. What the author's code raises is an outcome, also
    ``sys.exit``; only an interrupt, and what ends a child that it forked, goes on."""
    own = os.getpid()
    peak, looked = 0, -_PEAK_SECONDS
    for simulation in message["simulations"]:
        wall, cpu = time.perf_counter(), time.process_time()
        header: dict[str, Any] = {"type": "outcome"}
        parts: list[bytes] = []
        try:
            header["tables"], parts = join_tables(run_simulation(wire, message, simulation))
            header["status"] = "ok"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # costs this one simulation
            if os.getpid() != own:
                raise
            header["status"] = "failed"
            header["error"] = describe_error(error)
        now = time.perf_counter()
        header["wall"] = now - wall
        header["cpu"] = time.process_time() - cpu
        if now - looked >= _PEAK_SECONDS:
            peak, looked = peak_bytes(), now
        header["peak_bytes"] = peak
        yield header, parts


def peak_bytes() -> int:
    """Largest resident size of this process so far, in bytes."""
    try:
        # `open`, not pathlib: asked often, in an interpreter that loads little.
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123
            found = status.read().partition(b"VmHWM:")[2].split()
        return int(found[0]) * 1024
    except (OSError, IndexError, ValueError):
        return _peak_of_usage()


def _peak_of_usage() -> int:
    # On Linux this also counts whoever started the process, when that was larger.
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def answer(wire: Wire, message: Mapping[str, Any], payload: bytes) -> Iterator[Frame]:
    """All frames that answer one message; the last one says ``done`` or ``failed``."""
    handler, own = _HANDLERS.get(message["type"]), os.getpid()
    try:
        if handler is None:
            raise ValueError(f"unknown message {message['type']!r}")
        yield from handler(wire, message, payload)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # the asker gets it as data
        if os.getpid() != own:
            raise
        yield {"type": "failed", "error": describe_error(error)}, ()


def _run_batch(wire: Wire, message: Mapping[str, Any], _payload: bytes) -> Iterator[Frame]:
    yield from simulate_all(wire, message)
    yield {"type": "done", "peak_bytes": peak_bytes()}, ()


def _load(wire: Wire, message: Mapping[str, Any], _payload: bytes) -> Iterator[Frame]:
    """Import the author's model, so that its import time is not a simulation's time."""
    reference = message["entrypoint"].partition("/")[0]
    yield {"type": "done", "value": wire.sibling("describe_function")("model", reference)}, ()


def _describe(wire: Wire, message: Mapping[str, Any], _payload: bytes) -> Iterator[Frame]:
    value = wire.sibling("describe_function")(message["kind"], message["reference"])
    yield {"type": "done", "value": value}, ()


def _evaluate(wire: Wire, message: Mapping[str, Any], payload: bytes) -> Iterator[Frame]:
    value = wire.sibling("evaluate_function")(
        message["targets"],
        _split_many(message["tables"], payload),
        entrypoint=message["entrypoint"],
        params=message["params"],
        seeds=message["seeds"],
        weights=message["weights"],
        policy=message["policy"],
        errors=message["errors"],
    )
    yield {"type": "done", "value": value}, ()


def _predict(wire: Wire, message: Mapping[str, Any], payload: bytes) -> Iterator[Frame]:
    tables = _split_many(message["tables"], payload)
    members = [
        {"params": params, "tables": member}
        for params, member in zip(message["params"], tables)  # noqa: B905  (3.9)
    ]
    bands = wire.sibling("predict_function")(
        message["targets"], members, entrypoint=message["entrypoint"], seed=message["seed"]
    )
    sizes, parts = join_tables(bands)
    yield {"type": "done", "tables": sizes}, parts


def _split_many(sizes: Sequence[Any], payload: bytes) -> list[Any]:
    """Tables of several simulations out of one payload; None where one has no result."""
    result: list[Any] = []
    start = 0
    for entry in sizes:
        if entry is None:
            result.append(None)
            continue
        end = start + sum(size for _name, size in entry)
        result.append(split_tables(entry, payload[start:end]))
        start = end
    return result


def _ping(_wire: Wire, _message: Mapping[str, Any], _payload: bytes) -> Iterator[Frame]:
    yield {"type": "done"}, ()


_HANDLERS: dict[str, Callable[[Wire, Mapping[str, Any], bytes], Iterator[Frame]]] = {
    "run_batch": _run_batch,
    "load": _load,
    "describe": _describe,
    "evaluate": _evaluate,
    "predict": _predict,
    "ping": _ping,
}
