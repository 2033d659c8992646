"""How many simulations go into a batch: arithmetic on measured times, nothing else."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence

from modelops.engine.requests import SimOutcome, SimRequest

__all__ = ["BatchSizer", "Batches"]

_TARGET_SECONDS = 0.5
_GROWTH = 8
_MOST = 20_000
_BATCH_BYTES = 64 << 20
_LEAST_SHARE = 8  # the last batches shrink to an eighth of the usual one, not to single calls


class BatchSizer:
    """Aims at half a second of work per batch (0.25 s to 1 s for times that vary).

    Starts at one simulation, grows at most eightfold per finished batch, and never beyond what
    ``_BATCH_BYTES`` of tables allow. A batch's mean counts half, everything before it the rest, so
    one slow first call (caches, lazy imports) is forgotten quickly.
    """

    def __init__(self, *, target_seconds: float = _TARGET_SECONDS) -> None:
        self._target = target_seconds
        self._seconds: float | None = None
        self._bytes = 0.0
        self.size = 1

    def shares(self, requests: Sequence[SimRequest], *, slots: int) -> list[Sequence[SimRequest]]:
        """Parts of one piece of work for several slots: one part unless it takes longer than a
        batch, and none until something was measured."""
        expected = len(requests) * (self._seconds or 0.0)
        number = min(slots, len(requests), int(expected / self._target) + 1)
        if number < 2:
            return []
        return [requests[i::number] for i in range(number)]

    def learn(self, outcomes: Iterable[SimOutcome]) -> None:
        """Adapt to a finished batch. Simulations that did not end by themselves teach nothing."""
        outcomes = list(outcomes)
        if not outcomes:
            return
        ran = [outcome for outcome in outcomes if outcome.status in {"ok", "failed"}]
        if not ran:
            self.size = max(1, self.size // 2)
            return
        seconds = sum(outcome.wall for outcome in ran) / len(ran)
        volume = sum(len(table) for o in ran for table in o.tables.values()) / len(ran)
        self._seconds = seconds if self._seconds is None else (self._seconds + seconds) / 2
        self._bytes = max(self._bytes, volume)
        by_time = self._target / max(self._seconds, 1e-9)
        by_bytes = _BATCH_BYTES / max(self._bytes, 1.0)
        self.size = max(1, int(min(by_time, by_bytes, self.size * _GROWTH, _MOST)))


class Batches:
    """Cuts a stream of requests into batches that share entrypoint, outputs and config.

    When the length of the stream is known, the last batches shrink, so that all slots end at about
    the same time.
    """

    def __init__(self, requests: Iterable[SimRequest], *, slots: int) -> None:
        self._left: int | None = operator.length_hint(requests, -1)
        if self._left < 0:
            self._left = None
        self._source = iter(requests)
        self._slots = slots
        self._next: SimRequest | None = None

    def take(self, size: int) -> list[SimRequest]:
        """The next batch of at most ``size`` requests; empty at the end of the stream."""
        if self._left is not None:
            even_share = -(-self._left // (2 * self._slots))
            size = max(1, min(size, max(even_share, size // _LEAST_SHARE)))
        batch = list(self._same_kind(size))
        if self._left is not None:
            self._left = max(0, self._left - len(batch))
        return batch

    def _same_kind(self, size: int) -> Iterator[SimRequest]:
        first = self._next or next(self._source, None)
        self._next = None
        if first is None:
            return
        yield first
        for request in itertools.islice(self._source, size - 1):
            if not _alike(first, request):
                self._next = request
                return
            yield request


def _alike(first: SimRequest, second: SimRequest) -> bool:
    one, other = first.task, second.task
    return (
        one.entrypoint == other.entrypoint
        and one.outputs == other.outputs
        and one.config == other.config
    )
