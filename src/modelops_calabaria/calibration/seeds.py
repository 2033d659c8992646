"""Which seeds a parameter set is simulated with, for each purpose.

The contract's hashes have 31 bits, so among thousands of them equal ones do occur. A seed that is
already taken is passed over: no two replicates of a parameter set share a seed, and none of those
that select or confirm was used in the search.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import count

from modelops_contracts.digests import (
    common_replicate_seed,
    confirm_seed,
    replicate_seed,
    rescore_seed,
)

__all__ = ["confirmation_seeds", "search_seeds", "selection_seeds"]


def search_seeds(param_id: str, *, base_seed: int, n: int, crn: str) -> tuple[int, ...]:
    """Seeds of a trial: its own, or with ``crn="per-replicate-index"`` the same for every trial."""
    if crn == "per-replicate-index":
        return _distinct(lambda i: common_replicate_seed(base_seed, i), n)
    return _distinct(lambda i: replicate_seed(param_id, base_seed, i), n)


def selection_seeds(*, base_seed: int, n: int, used: Iterable[int]) -> tuple[int, ...]:
    """Fresh seeds, the same for all candidates. ``used`` are those of the candidates' trials."""
    return _distinct(lambda i: rescore_seed(base_seed, i), n, set(used))


def confirmation_seeds(*, base_seed: int, n: int, used: Iterable[int]) -> tuple[int, ...]:
    """Fresh seeds for the winner. ``used`` are those of its trial and of the selection."""
    return _distinct(lambda i: confirm_seed(base_seed, i), n, set(used))


def _distinct(
    seed_of: Callable[[int], int], n: int, taken: Collection[int] = frozenset()
) -> tuple[int, ...]:
    seeds: dict[int, None] = {}
    for i in count():
        if len(seeds) == n:
            break
        seed = seed_of(i)
        if seed not in taken:
            seeds[seed] = None
    return tuple(seeds)
