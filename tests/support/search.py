"""Driving an engine with a plain function, and the spaces that tests search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from modelops_calabaria.parameters.types import ParameterSpec
from modelops_calabaria.search_space import SearchSpace
from modelops_contracts.types import TrialResult, TrialStatus, UniqueParameterSet


def boarding_school_space() -> SearchSpace:
    return SearchSpace.of(
        [
            ParameterSpec("beta", 0.5, 4.0, transform="log"),
            ParameterSpec("gamma", 0.1, 2.0, transform="log"),
            ParameterSpec("k", 1.0, 100.0, transform="log"),
        ]
    )


def mixed_space() -> SearchSpace:
    return SearchSpace.of(
        [ParameterSpec("x", -1.0, 3.0), ParameterSpec("n", 1, 20, "int", transform="log")]
    )


def bowl(params: Mapping[str, Any]) -> float:
    """Smallest, 0, at x = 1 and n = 7."""
    return (params["x"] - 1.0) ** 2 + (math.log(params["n"]) - math.log(7)) ** 2


def result_of(proposal: UniqueParameterSet, loss: float) -> TrialResult:
    if math.isfinite(loss):
        return TrialResult(proposal.param_id, loss)
    return TrialResult(proposal.param_id, loss, {}, TrialStatus.FAILED)


def minimise(
    engine: Any, objective: Callable[[Mapping[str, Any]], float], limit: int, *, in_flight: int = 4
) -> list[tuple[dict[str, Any], float]]:
    """(parameters, loss) of every evaluation, at most ``limit``, told in ask order."""
    done: list[tuple[dict[str, Any], float]] = []
    waiting: list[UniqueParameterSet] = []
    while len(done) < limit:
        room = min(in_flight, limit - len(done)) - len(waiting)
        asked = engine.ask(1) if room > 0 else []
        waiting.extend(asked)
        if asked:
            continue
        if not waiting:
            break
        proposal = waiting.pop(0)
        loss = objective(proposal.params)
        done.append((dict(proposal.params), loss))
        engine.tell([result_of(proposal, loss)])
    return done
