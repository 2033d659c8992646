"""Registered entries with what is wrong with them; values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelops_bundle.code.entries import CodeRecord
from modelops_bundle.findings import Finding
from modelops_contracts.registry import BundleRegistry, Entry, Kind


@dataclass(frozen=True, slots=True)
class CheckedEntry:
    """One registered entry, what is wrong with it, and what the code says instead."""

    kind: Kind
    id: str
    entry: Entry
    findings: tuple[Finding, ...] = ()
    record: CodeRecord | None = None

    @property
    def lost(self) -> bool:
        """True when the file or the symbol is gone, or is no longer what it was."""
        gone = {"file_missing", "symbol_missing", "not_a_target", "not_a_model"}
        return any(item.code in gone for item in self.findings)

    @property
    def broken(self) -> bool:
        """True when the file does not parse."""
        return any(item.code == "parse_failed" for item in self.findings)


@dataclass(frozen=True, slots=True)
class CheckedRegistry:
    """Every entry checked, and what concerns the registry as a whole."""

    registry: BundleRegistry
    entries: tuple[CheckedEntry, ...]
    findings: tuple[Finding, ...] = ()
    by_key: Mapping[tuple[Kind, str], CheckedEntry] = field(default_factory=dict)
