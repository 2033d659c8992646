"""What would make the numbers mean something else than they seem to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from modelops_calabaria.outcome.findings import FAIL, WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate

__all__ = ["flags", "not_reproducible", "seed_reuse"]


def seed_reuse(record: CalibrationRecord) -> Iterator[Finding]:
    for candidate in record.candidates:
        stages = [candidate.search.seeds, candidate.selection.seeds]
        if candidate.confirmation is not None:
            stages.append(candidate.confirmation.seeds)
        repeated = any(len(set(seeds)) != len(seeds) for seeds in stages)
        shared = len(set().union(*stages)) != sum(len(set(seeds)) for seeds in stages)
        if repeated or shared:
            yield Finding(
                "SEED_REUSE",
                FAIL,
                f"trial {candidate.trial}: a seed served twice, so its values are not independent",
                subject=f"trial {candidate.trial}",
                action="this is a defect of the product; please report it",
            )
            return


def flags(record: CalibrationRecord) -> Iterator[Finding]:
    flags = set(record.best.evaluation.flags) if record.candidates else set()
    kinds = {target["kind"] for target in record.settings["targets"] if target["weight"] > 0}
    if "MIXED_TRACKS" in flags or len(kinds) > 1:
        yield Finding(
            "MIXED_TRACKS",
            WARN,
            "losses and likelihoods were added into one objective, which is neither",
            subject="targets",
            action="use one kind of target, or weigh them on purpose",
        )
    if "TEMPERED" in flags or any(_is_tempered(target) for target in record.settings["targets"]):
        yield Finding(
            "TEMPERED",
            WARN,
            "a likelihood weight other than 1 makes the objective no likelihood",
            subject="targets",
            action="quote no standard likelihood intervals",
        )


def _is_tempered(target: dict[str, Any]) -> bool:
    return target["kind"] == "loglik" and target["weight"] not in {0.0, 1.0}


def not_reproducible(record: CalibrationRecord) -> Iterator[Finding]:
    if record.settings["schedule"] == "async":
        yield Finding(
            "NOT_REPRODUCIBLE",
            WARN,
            "schedule async: the proposals depend on the speed of the workers",
            subject="search",
            action="use schedule ordered",
        )
    if record.settings["deterministic"] and record.candidates and _differs(record.best):
        yield Finding(
            "NOT_REPRODUCIBLE",
            WARN,
            "the model declares itself deterministic, but another seed gave another objective",
            subject="model",
            value=record.best.optimism,
            threshold=0.0,
            action="remove DETERMINISTIC from the model, or its randomness",
        )


def _differs(best: Candidate) -> bool:
    values = [best.search.objective, best.selection.objective, best.objective]
    return any(not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in pairwise(values))
