"""What is compared with the data: every replicate, or their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.join import column_names
from modelops_contracts.errors import InvalidValue


@runtime_checkable
class Aggregator(Protocol):
    """Aligned data in, aligned data out; replicates may become fewer."""

    def aggregate(self, aligned: AlignedData) -> AlignedData: ...


@dataclass(frozen=True, slots=True)
class IdentityAggregator:
    """Every replicate stands for itself."""

    def aggregate(self, aligned: AlignedData) -> AlignedData:
        return aligned


@dataclass(frozen=True, slots=True, init=False)
class MeanAcrossReplicates:
    """The mean of all replicates, row by row, as a single one."""

    cols: tuple[str, ...]

    def __init__(self, cols: str | Sequence[str]) -> None:
        object.__setattr__(self, "cols", column_names(cols, "cols"))

    def aggregate(self, aligned: AlignedData) -> AlignedData:
        table = _replicated(aligned)
        mean = table.take_replicates([0])
        for name in self.cols:
            values = table.simulated(name).mean(axis=0, keepdims=True)
            mean = mean.with_simulated(name, values)
        return mean

    def leave_one_out(self, aligned: AlignedData) -> AlignedData:
        """As many replicates as before; number r is the mean of all but r. Needs R >= 2."""
        table = _replicated(aligned)
        for name in self.cols:
            table = table.with_simulated(name, mean_of_others(table.simulated(name)))
        return table


def mean_of_others(values: Floats) -> Floats:
    """For values (R, ...) the means over all replicates but each."""
    total = values.sum(axis=0, keepdims=True)
    others: Floats = (total - values) / (np.shape(values)[0] - 1)
    return others


def _replicated(aligned: AlignedData) -> AlignedData:
    if aligned.replicate_col is None:
        raise InvalidValue(
            "the mean across replicates requires a replicate column",
            hint="align a list of tables, one per replicate",
        )
    return aligned.canonical()
