"""What `import modelops_contracts` offers and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import modelops_contracts
from modelops_contracts import ports
from modelops_contracts.adaptive import AdaptiveAlgorithm, ResumableAlgorithm

HEAVY = {
    "numpy",
    "polars",
    "scipy",
    "pandas",
    "pyarrow",
    "ruamel",
    "pydantic",
    "optuna",
    "matplotlib",
    "importlib.metadata",
    "urllib3",
    "asyncio",
    "inspect",
    "dataclasses",
}


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{script}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_by("import modelops_contracts") & HEAVY


def test_all_names_together_load_no_library() -> None:
    light = HEAVY - {"inspect", "dataclasses"}
    assert not loaded_by("from modelops_contracts import *") & light


def test_every_public_name_is_there() -> None:
    missing = [name for name in modelops_contracts.__all__ if not hasattr(modelops_contracts, name)]
    assert missing == []
    assert len(set(modelops_contracts.__all__)) == len(modelops_contracts.__all__)
    assert set(modelops_contracts.__all__) <= set(dir(modelops_contracts))


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="SimTsk"):
        modelops_contracts.SimTsk  # type: ignore[attr-defined]  # noqa: B018


def test_names_are_the_objects_of_their_modules() -> None:
    from modelops_contracts.simulation import SimTask

    assert modelops_contracts.SimTask is SimTask


def test_an_algorithm_is_recognised_by_three_methods() -> None:
    class Plain:
        def ask(self, n: int) -> list[object]:
            return []

        def tell(self, results: object) -> None: ...

        def finished(self) -> bool:
            return True

    class Resumable(Plain):
        def state(self) -> object:
            return {}

        def restore(self, state: object) -> None: ...

    assert isinstance(Plain(), AdaptiveAlgorithm)
    assert not isinstance(Plain(), ResumableAlgorithm)
    assert isinstance(Resumable(), ResumableAlgorithm)
    assert not isinstance(object(), AdaptiveAlgorithm)


def test_the_null_reporter_hears_everything() -> None:
    reporter: ports.Reporter = ports.NullReporter()
    reporter.start("work", 3)
    reporter.advance(2, failed=1, note="x")
    reporter.note("n")
    reporter.warn("w")
    reporter.finish("done")
