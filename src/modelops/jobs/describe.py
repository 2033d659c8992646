"""What a bundle's model and targets say about themselves, asked once per code and environment.

Asking means starting the bundle's own interpreter and importing the author's code. The answer can
only change when code, data or environment do, and all of them are in the key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops.config.model import Config
from modelops.jobs.asking import AskedEngine
from modelops_contracts.atomic import write_atomically
from modelops_contracts.digests import canonical_json, digest_bytes
from modelops_contracts.errors import SimulationFailed
from modelops_contracts.models import ModelDescription, TargetDescription

if TYPE_CHECKING:
    from modelops.engine.environments.spec import EnvironmentSpec

__all__ = ["Question", "describe_all"]

#: Raised when a description gains a field that older answers lack.
_FORMAT = 1

#: kind ("model" or "target"), entry point, entry digest
Question = tuple[str, str, str]


def describe_all(
    config: Config, engine: AskedEngine, questions: Sequence[Question]
) -> tuple[list[ModelDescription], list[TargetDescription]]:
    """Descriptions of all models and of all targets among ``questions``, each in order.

    Raises SimulationFailed with the author's traceback when the code cannot be imported.
    """
    places = [_place(config, engine.environment, question) for question in questions]
    answers = [_read(place) for place in places]
    open_ones = [i for i, answer in enumerate(answers) if answer is None]
    if open_ones:
        asked = [questions[i] for i in open_ones]
        fresh = [_ask(engine, kind, entrypoint) for kind, entrypoint, _digest in asked]
        for i, answer in zip(open_ones, fresh, strict=True):
            write_atomically(places[i], json.dumps(answer))
            answers[i] = answer
    described = [(question[0], answer) for question, answer in zip(questions, answers, strict=True)]
    return (
        [ModelDescription.from_json(answer) for kind, answer in described if kind == "model"],
        [TargetDescription.from_json(answer) for kind, answer in described if kind == "target"],
    )


def _place(config: Config, environment: EnvironmentSpec, question: Question) -> Path:
    key = [_FORMAT, _own_version(), environment.digest, list(question)]
    name = digest_bytes(b"modelops:description:v1|" + canonical_json(key))
    return config.paths.descriptions / f"{name}.json"


def _own_version() -> list[Any]:
    """Of the code that describes: its files' sizes and times, so that a checkout counts as well."""
    import modelops_calabaria

    folder = Path(modelops_calabaria.__file__).parent
    newest = max(path.stat().st_mtime_ns for path in folder.rglob("*.py"))
    return [str(folder), newest]


def _read(place: Path) -> Any:
    try:
        return json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # absent or damaged: ask again


def _ask(engine: AskedEngine, kind: str, entrypoint: str) -> dict[str, Any]:
    try:
        return engine.get().describe(kind, entrypoint)
    except SimulationFailed as error:
        if error.hint:
            raise
        module, _, symbol = entrypoint.partition(":")
        raise SimulationFailed(
            str(error),
            remote_traceback=error.remote_traceback,
            hint=f"correct {symbol} in module {module}, then repeat the command",
        ) from error
