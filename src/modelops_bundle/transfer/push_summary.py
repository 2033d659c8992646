"""What a push tells people and programs, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelops_bundle.diff import FileChanges
from modelops_bundle.findings import Finding


@dataclass(frozen=True, slots=True)
class PushSummary:
    """What a push would do, in numbers.

    `sizes` are those of the files that were added or modified, in bytes; `bytes_to_pack` are those
    of the files in the `layers` that the store does not have, before compression.
    """

    reference: str
    content: str
    up_to_date: bool
    total_files: int
    reused_layers: int
    findings: tuple[Finding, ...]
    layers: int = 0
    bytes_to_pack: int = 0
    changes: FileChanges = field(default_factory=FileChanges)
    sizes: Mapping[str, int] = field(default_factory=dict)
    newly_tracked: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "reference": self.reference,
            "content": self.content,
            "up_to_date": self.up_to_date,
            "files": self.changes.to_json(),
            "total_files": self.total_files,
            "layers": self.layers,
            "reused_layers": self.reused_layers,
            "bytes": self.bytes_to_pack,
            "newly_tracked": list(self.newly_tracked),
            "vanished": list(self.vanished),
            "findings": [item.to_json() for item in self.findings],
        }


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push did; `sent` and `reused` count bytes as stored.

    `warnings` are about what comes after the push, which is done.
    """

    summary: PushSummary
    manifest: str
    pushed: bool
    sent: int = 0
    reused: int = 0
    layers_sent: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The tag that now points to the bundle."""
        return self.summary.reference

    @property
    def content(self) -> str:
        """The digest of the files alone."""
        return self.summary.content

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            **self.summary.to_json(),
            "digest": self.manifest,
            "pushed": self.pushed,
            "layers_sent": self.layers_sent,
            "bytes_sent": self.sent,
            "bytes_reused": self.reused,
        }
