"""What checking a project finds: a sentence for people, with facts for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
Fix = Literal["refresh", "register", "edit", "decide"]

STRUCTURAL = frozenset({
    "file_missing", "symbol_missing", "parse_failed", "module_mismatch", "bad_entrypoint",
    "path_outside", "case_mismatch", "not_a_target", "not_a_model", "output_drift",
    "outputs_drift", "data_drift", "scenarios_drift", "weight_drift", "output_unknown",
    "data_missing", "code_missing", "registry_missing", "set_member_missing",
    "set_weight_unknown", "id_collision",
})  # fmt: skip


class Finding(str):
    """One thing that is wrong or worth knowing; as text it is its own message."""

    code: str
    severity: Severity
    kind: str
    id: str
    path: str
    line: int | None
    hint: str
    fix: Fix | None

    __slots__ = ("code", "fix", "hint", "id", "kind", "line", "path", "severity")

    def __new__(
        cls,
        message: str,
        *,
        code: str,
        severity: Severity = "error",
        kind: str = "",
        id: str = "",  # noqa: A002  (the name that programs read)
        path: str = "",
        line: int | None = None,
        hint: str = "",
        fix: Fix | None = None,
    ) -> Finding:
        found = super().__new__(cls, message)
        found.code = code
        found.severity = severity
        found.kind = kind
        found.id = id
        found.path = path
        found.line = line
        found.hint = hint
        found.fix = fix
        return found

    @property
    def message(self) -> str:
        """The sentence itself."""
        return str(self)

    @property
    def structural(self) -> bool:
        """True when the registry names what is not there; such a bundle is not pushed."""
        return self.code in STRUCTURAL

    def with_hint(self, hint: str, *, fix: Fix) -> Finding:
        """Return the same finding with another way to cure it."""
        return Finding(
            str(self), code=self.code, severity=self.severity, kind=self.kind, id=self.id,
            path=self.path, line=self.line, hint=hint, fix=fix,
        )  # fmt: skip

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "code": self.code, "severity": self.severity, "kind": self.kind, "id": self.id,
            "path": self.path, "line": self.line, "message": str(self), "hint": self.hint,
            "fix": self.fix,
        }  # fmt: skip


def finding_from_json(data: Mapping[str, Any]) -> Finding:
    """Return the finding that `Finding.to_json` wrote down."""
    return Finding(data["message"], **{key: data[key] for key in data if key != "message"})


_KIND_ORDER = {"model": 0, "target": 1, "set": 2, "": 3}


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Order by kind, id and code; each sentence once."""
    unique = {(str(item), item.code): item for item in findings}
    return sorted(
        unique.values(),
        key=lambda item: (_KIND_ORDER.get(item.kind, 3), item.id, item.code, str(item)),
    )
