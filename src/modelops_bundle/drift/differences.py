"""What two records of one entry differ in, in a few words for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modelops_contracts.registry import Entry

ONLY_BYTES = "file digest"  # comments, layout, or other definitions of its files


def describe_changes(before: Entry, after: Entry) -> list[str]:
    """Say what differs between two records of one entry, in a few words each."""
    reasons: list[str] = []
    for name in ("entrypoint", "model_output", "outputs", "scenarios", "parameters", "weight",
                 "labels"):  # fmt: skip
        old, new = getattr(before, name, None), getattr(after, name, None)
        if old != new:
            reasons.append(f"{name} {_shown(old)} -> {_shown(new)}")
    if before.fingerprint != after.fingerprint:
        reasons.append("own code" if before.fingerprint else "digests recorded")
    reasons += [f"{path} (code)" for path in _differing(before.code_fingerprints,
                                                        after.code_fingerprints)]  # fmt: skip
    reasons += [f"{path} (data)" for path in _differing(before.data_digests, after.data_digests)]
    if not reasons and before.digest != after.digest:
        reasons.append("environment")
    if not reasons and before.to_dict() != after.to_dict():
        reasons.append(ONLY_BYTES)
    return reasons


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[str]:
    return [path for path in sorted({**before, **after}) if before.get(path) != after.get(path)]


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value) or "none"
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
