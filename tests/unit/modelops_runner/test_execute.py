"""What the guest makes of results and exceptions of the author's code."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

from modelops_runner.execute import answer, peak_bytes
from modelops_runner.wire import Wire, WireMissingError, find_wire


@pytest.fixture
def wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    (tmp_path / "some_wire.py").write_text(
        "RESULT = {}\n"
        "def wire_function(entrypoint, params, seed, *, outputs=None, config=None):\n"
        "    if isinstance(RESULT, BaseException):\n"
        "        raise RESULT\n"
        "    return RESULT\n"
        "def old_wire(entrypoint, params, seed):\n"
        "    return {'out': b'old'}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield find_wire("some_wire")
    del sys.modules["some_wire"]


def batch(**extra: object) -> dict[str, object]:
    simulations = [{"params": {}, "seed": 1}]
    return {"type": "run_batch", "entrypoint": "m.M/b", "simulations": simulations, **extra}


def run(wire: Wire, **extra: object) -> tuple[dict[str, object], bytes]:
    (header, parts), (last, _) = list(answer(wire, batch(**extra), b""))
    assert last["type"] == "done"
    return header, b"".join(parts)


@pytest.mark.parametrize("result", [None, [1], {"out": "text"}, {1: b""}, {"out": None}])
def test_a_wrong_type_is_a_failure_that_says_so(wire: Wire, result: object) -> None:
    wire.module.RESULT = result
    header, _ = run(wire)
    assert header["status"] == "failed"
    assert header["error"]["error_type"] == "TypeError"


class OddError(BaseException):
    pass


@pytest.mark.parametrize("error", [SystemExit(0), OddError("odd"), GeneratorExit("early")])
def test_whatever_is_raised_is_a_failure_with_its_own_type(
    wire: Wire, error: BaseException
) -> None:
    wire.module.RESULT = error
    header, _ = run(wire)
    assert header["status"] == "failed"
    assert header["error"]["error_type"].endswith(type(error).__name__)
    assert "raise RESULT" in header["error"]["traceback"]


def test_an_interrupt_is_nobodys_result(wire: Wire) -> None:
    wire.module.RESULT = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        list(answer(wire, batch(), b""))


def test_a_question_that_ends_in_sys_exit_is_answered(wire: Wire) -> None:
    wire.module.describe_function = lambda kind, reference: sys.exit("not a module")
    question = {"type": "describe", "kind": "model", "reference": "m:M"}
    ((header, _),) = list(answer(wire, question, b""))
    assert header["type"] == "failed"
    assert header["error"]["error_type"] == "SystemExit"
    assert header["error"]["message"] == "not a module"


def test_metadata_does_not_travel(wire: Wire) -> None:
    wire.module.RESULT = {"out": b"1", "metadata": b"{}"}
    header, payload = run(wire)
    assert header["tables"] == [("out", 1)]
    assert payload == b"1"


def test_an_older_wire_refuses_what_it_cannot_honour(wire: Wire) -> None:
    old = find_wire("some_wire:old_wire")
    header, payload = run(old)
    assert (header["status"], payload) == ("ok", b"old")
    header, _ = run(old, outputs=["out"], config={"a": 1})
    assert header["status"] == "failed"
    assert "outputs and config" in header["error"]["message"]


def test_questions_that_a_wire_cannot_answer(wire: Wire) -> None:
    ((header, _),) = answer(wire, {"type": "describe", "kind": "model", "reference": "m:M"}, b"")
    assert header["type"] == "failed"
    assert "describe_function" in header["error"]["message"]
    ((header, _),) = answer(wire, {"type": "dance"}, b"")
    assert "dance" in header["error"]["message"]


def fake_distribution(folder: Path, name: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[modelops.wire]\nexecute = {name}_wire:f\n")


def test_two_wires_in_one_environment_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        fake_distribution(tmp_path, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(WireMissingError, match=r"one_wire:f \(one\), two_wire:f \(two\)"):
        find_wire()


def test_an_environment_without_a_wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert not list(distributions())
    with pytest.raises(WireMissingError, match="no package"):
        find_wire()


def test_memory_at_the_peak_is_that_of_this_process_alone() -> None:
    large = bytearray(300_000_000)
    program = "from modelops_runner.execute import peak_bytes; print(peak_bytes())"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert peak_bytes() > len(large)
    assert 1_000_000 < int(told.stdout) < 200_000_000


def test_memory_is_not_asked_for_after_every_small_simulation(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs as much as they do; a simulation that takes time is always followed by a look."""
    seen = iter(range(1, 1000))
    monkeypatch.setattr("modelops_runner.execute.peak_bytes", lambda: next(seen))
    simulations = [{"params": {}, "seed": i} for i in range(200)]
    frames = list(answer(wire, batch(simulations=simulations), b""))
    assert len(frames) == 201
    assert next(seen) < 100
    slow = [{"params": {}, "seed": i} for i in range(3)]
    wire.execute = lambda *args, **given: time.sleep(0.02) or {}
    peaks = [header["peak_bytes"] for header, _ in answer(wire, batch(simulations=slow), b"")]
    assert len(set(peaks)) == 4
