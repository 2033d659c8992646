"""What is wrong between entries: outputs nobody offers, sets of strangers, one thing twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelops_bundle.drift.checked import CheckedEntry
from modelops_bundle.findings import Finding
from modelops_contracts.registry import BundleRegistry, Entry, Kind, ModelEntry, TargetEntry

REFRESH = "mops bundle refresh"


def listed(names: list[str]) -> str:
    """Return names for a sentence."""
    return ", ".join(names) or "none"


def check_outputs(registry: BundleRegistry, checked: list[CheckedEntry]) -> Iterator[Finding]:
    """Yield the targets whose output no registered model offers."""
    offered: set[str] = set()
    for item in checked:
        current = item.record.entry if item.record is not None else item.entry
        if isinstance(current, ModelEntry):
            offered.update(current.outputs)
    if not registry.models:
        return
    for item in checked:
        current = item.record.entry if item.record is not None else item.entry
        if isinstance(current, TargetEntry) and current.model_output not in offered:
            yield Finding(
                f"Target {item.id}: no registered model has the output "
                f"{current.model_output!r}; there are: {listed(sorted(offered))}",
                code="output_unknown", kind="target", id=item.id,
                path=item.entry.path.as_posix(), fix="edit",
                hint=f"correct model_output in {item.entry.path.as_posix()}, "
                "or register the model that offers it: mops bundle register-model PATH",
            )  # fmt: skip


def check_sets(registry: BundleRegistry) -> Iterator[Finding]:
    """Yield what a target set names that is not there."""
    for name, group in registry.target_sets.items():
        for member in group.targets:
            if member not in registry.targets:
                yield Finding(
                    f"Target set {name}: unknown target {member}", code="set_member_missing",
                    kind="set", id=name, fix="refresh", hint=REFRESH,
                )  # fmt: skip
        for member in group.weights:
            if member not in group.targets:
                yield Finding(
                    f"Target set {name}: weight for {member}, which is not in the set",
                    code="set_weight_unknown", kind="set", id=name, fix="refresh", hint=REFRESH,
                )  # fmt: skip


def check_ids(registry: BundleRegistry) -> Iterator[Finding]:
    """Yield the entries that name one definition twice."""
    sections: tuple[tuple[Kind, Mapping[str, Entry]], ...] = (
        ("model", registry.models),
        ("target", registry.targets),
    )
    for kind, entries in sections:
        seen: dict[tuple[str, str], str] = {}
        for key, entry in entries.items():
            place = (entry.path.as_posix(), entry.symbol)
            other = seen.setdefault(place, key)
            if other != key:
                yield Finding(
                    f"{kind.capitalize()} {key}: is the same {place[1]} of {place[0]} as {other}",
                    code="id_collision", kind=kind, id=key, path=place[0], fix="edit",
                    hint=f"mops bundle unregister {key} (or {other})",
                )  # fmt: skip
