"""The status of a project as plain data, for the memo of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelops_bundle.diff import FileChanges
from modelops_bundle.drift.changes import Change, Decision
from modelops_bundle.drift.staleness import Reason
from modelops_bundle.findings import finding_from_json
from modelops_bundle.status.state import EntryStatus, ProjectStatus, SetStatus

__all__ = ["decode_status", "encode_status"]

_STATUS_FIELDS = (
    "root", "repository", "tag", "environment", "tracked", "sync", "last_push",
)  # fmt: skip
_ENTRY_FIELDS = (
    "kind", "id", "state", "path", "entrypoint", "weight", "labels", "digest", "renamed_to",
    "similarity",
)  # fmt: skip
_CHANGE_FIELDS = ("action", "kind", "id", "path", "old_id", "symbol")
_DECISION_FIELDS = ("kind", "old_id", "new_symbol", "new_path", "similarity", "command")


def _fields(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def encode_status(status: ProjectStatus) -> dict[str, Any]:
    return {
        **_fields(status, _STATUS_FIELDS),
        "models": [_encode_entry(item) for item in status.models],
        "targets": [_encode_entry(item) for item in status.targets],
        "sets": [item.to_json() for item in status.sets],
        "new": [
            {**_fields(item, _CHANGE_FIELDS), "reasons": list(item.reasons)} for item in status.new
        ],
        "files": status.files.to_json(),
        "findings": [item.to_json() for item in status.findings],
        "decisions": [_fields(item, _DECISION_FIELDS) for item in status.decisions],
    }


def _encode_entry(item: EntryStatus) -> dict[str, Any]:
    labels = dict(item.labels) if item.labels is not None else None
    return {
        **_fields(item, _ENTRY_FIELDS),
        "labels": labels,
        "outputs": list(item.outputs),
        "reasons": [reason.to_json() for reason in item.reasons],
        "findings": [finding.to_json() for finding in item.findings],
    }


def decode_status(data: Mapping[str, Any]) -> ProjectStatus:
    return ProjectStatus(
        **{name: data[name] for name in _STATUS_FIELDS},
        models=tuple(_decode_entry(item) for item in data["models"]),
        targets=tuple(_decode_entry(item) for item in data["targets"]),
        sets=tuple(
            SetStatus(item["name"], tuple(item["targets"]), item["weights"])
            for item in data["sets"]
        ),
        new=tuple(Change(**{**item, "reasons": tuple(item["reasons"])}) for item in data["new"]),
        files=FileChanges(**{name: tuple(paths) for name, paths in data["files"].items()}),
        findings=tuple(finding_from_json(item) for item in data["findings"]),
        decisions=tuple(Decision(**item) for item in data["decisions"]),
    )


def _decode_entry(data: Mapping[str, Any]) -> EntryStatus:
    return EntryStatus(
        **{name: data[name] for name in _ENTRY_FIELDS},
        outputs=tuple(data["outputs"]),
        reasons=tuple(
            Reason(**{**item, "chain": tuple(item["chain"])}) for item in data["reasons"]
        ),
        findings=tuple(finding_from_json(item) for item in data["findings"]),
    )
