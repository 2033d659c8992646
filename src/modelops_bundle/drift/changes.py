"""The lines of a plan for the registry; values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from modelops_contracts.places import Kind

Action = Literal["added", "changed", "renamed", "moved", "removed", "unchanged", "new"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan: what happens to one entry or target set, and why.

    Of a rename or move, `certain` says that nobody had to confirm it, and `similarity` (0 to 1)
    how much of the definition stayed.
    """

    action: Action
    kind: Kind | Literal["set"]
    id: str
    path: str
    reasons: tuple[str, ...] = ()
    old_id: str | None = None
    symbol: str = ""
    certain: bool = True
    similarity: float = 1.0

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "action": self.action, "kind": self.kind, "id": self.id, "path": self.path,
            "reasons": list(self.reasons), "from": self.old_id, "symbol": self.symbol,
            "certain": self.certain, "similarity": round(self.similarity, 3),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """A rename that is likely but not certain, and the command that confirms it."""

    kind: Kind
    old_id: str
    new_symbol: str
    new_path: str
    similarity: float
    command: str

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "kind": self.kind, "from": self.old_id, "to": self.new_symbol, "path": self.new_path,
            "similarity": round(self.similarity, 3), "command": self.command,
        }  # fmt: skip
