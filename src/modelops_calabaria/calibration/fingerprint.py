"""What the objectives of a calibration mean, field by field, and whether two mean the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelops_calabaria.calibration.plan import CalibrationPlan
from modelops_calabaria.search_space import Axis
from modelops_contracts.digests import canonical_json, digest_bytes
from modelops_contracts.errors import Conflict
from modelops_contracts.models import TargetDescription

__all__ = [
    "check_fingerprint",
    "differing_fields",
    "fingerprint",
    "fingerprint_digest",
    "is_rescorable",
    "told_differences",
]


def fingerprint(plan: CalibrationPlan, *, code: str, data: Mapping[str, str]) -> dict[str, Any]:
    """Everything that decides what an objective of this calibration means, field by field.

    ``code`` is the digest of the model's code, ``data`` maps each target entrypoint to the digest
    of its code and data. Settings that only decide when to stop, or how the best are rescored,
    are left out: they may change when a calibration is resumed.
    """
    from modelops_calabaria.evaluation.joint import EVALUATION_VERSION

    return {
        "evaluation_version": EVALUATION_VERSION,
        "model": code,
        "space": [_axis_fields(axis) for axis in plan.space.axes],
        "fixed": dict(plan.fixed),
        "scenario": plan.scenario,
        "config": dict(plan.config),
        "targets": [_target_fields(plan, target, data) for target in plan.target_descriptions],
        "replicates": plan.replicates,
        "failed_replicates": plan.failed_replicates,
        "n_replicates": plan.n_replicates,
        "crn": plan.crn,
        "schedule": plan.schedule,
        "seed": plan.seed,
        "batch_size": plan.batch_size,
        "sampler": {"type": plan.sampler, **plan.sampler_options},
        "warm_start": [dict(point) for point in plan.warm_points],
    }


def fingerprint_digest(fields: Mapping[str, Any]) -> str:
    """64 hex digits of a fingerprint."""
    return digest_bytes(b"calabaria:calibration:v1|" + canonical_json(fields))


_WORDS = ("doc", "unit")


def _axis_fields(axis: Axis) -> dict[str, Any]:
    # The reading of a parameter does not change what its values mean.
    return {key: value for key, value in axis.spec.to_dict().items() if key not in _WORDS}


def _target_fields(
    plan: CalibrationPlan, target: TargetDescription, data: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "entrypoint": target.entrypoint,
        "digest": data.get(target.entrypoint, ""),
        "weight": plan.weights[target.entrypoint],
        "coverage": target.coverage,
        "kind": target.kind,
    }


#: Other values of these give other scores of the same simulations.
_RESCORABLE = frozenset({"evaluation_version", "targets", "replicates", "failed_replicates"})


def differing_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields whose values differ, sorted by name, with the old and the new value."""
    names = sorted({*old, *new})
    pairs = {name: (old.get(name), new.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if _plain(pair[0]) != _plain(pair[1])}


def is_rescorable(names: Mapping[str, Any]) -> bool:
    """True when stored simulations have only to be scored again."""
    return _RESCORABLE.issuperset(names)


def check_fingerprint(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raises Conflict, listing each field that differs with both values."""
    differing = differing_fields(old, new)
    if not differing:
        return
    if is_rescorable(differing):
        hint = "start a new job: stored simulations are found again, only the scores are new"
    else:
        hint = 'start a new job; "warm_start": <this result> asks its candidates first'
    raise Conflict(
        f"this calibration was begun with other settings:\n{told_differences(differing)}",
        hint=hint,
        exit_code=3,
    )


def told_differences(differing: Mapping[str, tuple[Any, Any]]) -> str:
    """One line per field; of the targets only those that differ, and in what."""
    lines = []
    for name, (before, now) in differing.items():
        if name == "targets" and before and now:
            lines += _told_targets(before, now)
        else:
            lines.append(f"  {name}: was {before!r}, now {now!r}")
    return "\n".join(lines)


def _told_targets(before: Any, now: Any) -> list[str]:
    old, new = ({one["entrypoint"]: one for one in listed} for listed in (before, now))
    gone = [f"  target {name}: was there, is gone" for name in old if name not in new]
    fresh = [f"  target {name}: was not there, is new" for name in new if name not in old]
    changed = [
        f"  target {name}: {field} was {old[name].get(field)!r}, now {new[name].get(field)!r}"
        for name in old
        if name in new
        for field in old[name]
        if old[name].get(field) != new[name].get(field)
    ]
    return [*gone, *fresh, *changed]


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))
