"""Errors of alignment and scoring.

Two sorts are kept apart. ``ObservedDataError`` is the user's to mend: it does not depend on the
parameter set. Every ``ScoringError`` belongs to one parameter set; it carries the reason code under
which a calibration books it, and says where it happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from modelops_contracts.errors import InvalidValue


class ObservedDataError(InvalidValue):
    """The observed data, or what a target asks of it, cannot be used whatever the model does."""

    default_code = "observed_data"


class ScoringError(InvalidValue):
    """Simulated data that cannot be scored.

    ``problem`` says what is wrong; target, output, replicate (index as the caller counts) and seed
    say where. ``reason`` is the code of the failed parameter set.
    """

    default_code = "scoring"
    default_reason: ClassVar[str] = "EVALUATION_FAILED"

    def __init__(
        self,
        problem: str = "",
        *,
        target: str | None = None,
        output: str | None = None,
        replicate: int | None = None,
        seed: int | None = None,
        reason: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(_locate(problem, target, output, replicate, seed), hint=hint)
        self.problem = problem
        self.target = target
        self.output = output
        self.replicate = replicate
        self.seed = seed
        self.reason = self.default_reason if reason is None else reason

    def located(
        self,
        *,
        target: str | None = None,
        output: str | None = None,
        positions: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Self:
        """The same error with its place filled in.

        ``positions`` maps replicates of the tables that were aligned to replicates of the
        parameter set (they differ when failed replicates were left aside); ``seeds`` is indexed
        by the latter.
        """
        replicate = self.replicate
        if replicate is not None and positions is not None:
            replicate = positions[replicate]
        seed = self.seed
        if seed is None and seeds is not None and replicate is not None and replicate < len(seeds):
            seed = seeds[replicate]
        return type(self)(
            self.problem,
            target=self.target or target,
            output=self.output or output,
            replicate=replicate,
            seed=seed,
            reason=self.reason,
            hint=self.hint,
        )


class AlignmentError(ScoringError):
    """Observed and simulated rows cannot be brought together."""

    default_code = "alignment"
    default_reason = "COVERAGE"


class BadOutputError(ScoringError):
    """The model wrote something that is no value: NaN, null, text, or outside its domain."""

    default_code = "bad_output"
    default_reason = "BAD_OUTPUT"


class MetricAlignmentError(AlignmentError, KeyError):
    """A metric, its column or its value is missing or cannot be used."""

    default_code = "metric_alignment"
    default_reason = "BAD_OUTPUT"


class EvaluationError(ScoringError):
    """A loss or likelihood function returned something that is no score."""

    default_code = "evaluation"


def _locate(
    problem: str, target: str | None, output: str | None, replicate: int | None, seed: int | None
) -> str:
    parts = []
    if target:
        parts.append(f"target {target}")
    if output:
        parts.append(f"output {output}")
    if replicate is not None:
        parts.append(f"replicate {replicate}" + ("" if seed is None else f" (seed {seed})"))
    elif seed is not None:
        parts.append(f"seed {seed}")
    return f"{', '.join(parts)}: {problem}" if parts else problem
