"""What every engine shares: who was asked, who answered, and how to start again from there."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

from modelops_calabaria.search_space import SearchSpace
from modelops_contracts.errors import Conflict, InvalidInput
from modelops_contracts.frozen import decode_float, encode_float
from modelops_contracts.types import TrialResult, TrialStatus, UniqueParameterSet

__all__ = ["SearchEngine"]

_STATE_VERSION = 1


class SearchEngine(ABC):
    """Ask and tell over natural values of the free parameters.

    ``ask`` leases proposals; fewer than wanted, or none, means: tell first. ``tell`` takes answers
    in any order, also after the end. The same answer twice is ignored, a different one or one to
    a question never asked raises ``Conflict``. A failed trial counts as +inf. Proposal ``i`` is
    a function of the seed, ``i`` and the answers told before it, so ``restore(state())`` on a new
    engine continues as if nothing had happened.

    An engine's own file gives the hooks ``propose``, ``learn``, ``why_finished`` and, where points
    given from outside matter to it, ``admit``.
    """

    kind: str = ""

    def __init__(self, space: SearchSpace) -> None:
        if space.dim == 0:
            raise InvalidInput("nothing to search: every parameter is fixed")
        self.space = space
        self._asked = 0
        self._given: deque[dict[str, int | float]] = deque()
        self._open: dict[str, deque[int]] = {}
        self._answers: dict[str, float] = {}
        self._events: list[tuple[str, Any]] = []

    @final
    def ask_first(self, points: Iterable[Mapping[str, Any]]) -> None:
        """Propose these points before any of the engine's own. Call it before the first ask."""
        if self._asked:
            raise Conflict("points to ask first must be given before the first ask")
        self._given.extend({name: point[name] for name in self.space.names} for point in points)

    # ------------------------------------------------------------ the five names

    @final
    def ask(self, n: int = 1) -> list[UniqueParameterSet]:
        """Up to ``n`` proposals; none when finished or when answers are needed first."""
        leased: list[UniqueParameterSet] = []
        while len(leased) < n and self.why_finished() is None:
            values = self._next_values()
            if values is None:
                break
            leased.append(self._lease(values))
        return leased

    @final
    def tell(self, results: Iterable[TrialResult]) -> None:
        """Take answers to leased proposals."""
        for result in results:
            self._tell_one(result.param_id, _loss_of(result))

    @final
    def finished(self) -> bool:
        """True when no further proposal will come."""
        return self.why_finished() is not None

    @final
    def state(self) -> dict[str, Any]:
        """What happened so far, as JSON."""
        return {"version": _STATE_VERSION, "engine": self.kind, "events": list(self._events)}

    @final
    def restore(self, state: Mapping[str, Any]) -> None:
        """Relive a stored history on an engine that has none."""
        if self._asked:
            raise Conflict("restore needs an engine that was not asked yet")
        if state.get("version") != _STATE_VERSION or state.get("engine") != self.kind:
            raise InvalidInput(
                f"this state belongs to engine {state.get('engine')!r}, version "
                f"{state.get('version')}, not to {self.kind!r}, version {_STATE_VERSION}"
            )
        for name, value in state["events"]:
            self._relive(name, value)

    # ------------------------------------------------------------ hooks of one engine

    @abstractmethod
    def propose(self, index: int) -> dict[str, int | float] | None:
        """Natural values of proposal ``index``; None when answers must come first."""

    @abstractmethod
    def learn(self, index: int, loss: float) -> None:
        """Answer to proposal ``index``: finite or +inf."""

    @abstractmethod
    def why_finished(self) -> str | None:
        """The reason why no more proposals come, or None."""

    def admit(  # noqa: B027  (most engines have nothing to do here)
        self, index: int, values: Mapping[str, int | float]
    ) -> None:
        """Proposal ``index`` was given from outside; ``learn`` will bring its answer."""

    # ------------------------------------------------------------ bookkeeping

    def _next_values(self) -> dict[str, int | float] | None:
        if not self._given:
            return self.propose(self._asked)
        values = self._given.popleft()
        self.admit(self._asked, values)
        return values

    def _lease(self, values: dict[str, int | float]) -> UniqueParameterSet:
        proposal = UniqueParameterSet.from_dict(values)
        self._open.setdefault(proposal.param_id, deque()).append(self._asked)
        self._asked += 1
        self._events.append(("ask", proposal.param_id))
        return proposal

    def _tell_one(self, param_id: str, loss: float) -> None:
        waiting = self._open.get(param_id)
        if waiting is None:
            raise Conflict(f"parameter set {param_id[:12]} was never asked")
        if param_id in self._answers and self._answers[param_id] != loss:
            raise Conflict(
                f"parameter set {param_id[:12]} was told {self._answers[param_id]}, now {loss}"
            )
        if not waiting:
            return
        self._answers[param_id] = loss
        self._events.append(("tell", (param_id, encode_float(loss))))
        self.learn(waiting.popleft(), loss)

    def _relive(self, name: str, value: Any) -> None:
        if name == "tell":
            param_id, loss = value
            self._tell_one(param_id, decode_float(loss))
            return
        proposals = self.ask(1)
        if not proposals or proposals[0].param_id != value:
            raise InvalidInput(
                "the stored history does not belong to these settings: its proposals differ",
                hint="start a new search, or use the seed and settings the history was made with",
            )


def _loss_of(result: TrialResult) -> float:
    if result.status is not TrialStatus.COMPLETED or math.isnan(result.loss):
        return math.inf
    return float(result.loss)


def child_seed(seed: int, path: Sequence[int]) -> int:
    """A 32-bit seed for one step of an engine, independent of all its other steps."""
    import numpy as np

    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])
