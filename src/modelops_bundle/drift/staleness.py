"""The state of an entry, from what checking found and which digests moved; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modelops_bundle.findings import Finding

if TYPE_CHECKING:
    from modelops_bundle.drift.renames import Match
    from modelops_contracts.registry import Entry

State = Literal[
    "broken", "moved", "renamed", "renamed?", "missing", "orphaned", "drifted", "changed",
    "stale", "ok", "new",
]  # fmt: skip
Component = Literal["own", "code", "data", "environment"]

_MISSING = frozenset({"file_missing", "symbol_missing", "data_missing", "code_missing",
                      "case_mismatch"})  # fmt: skip
_ORPHANED = frozenset({"not_a_target", "not_a_model"})
_CHANGED_WORDS = {"own": "own code", "environment": "environment"}


@dataclass(frozen=True, slots=True)
class Reason:
    """One component of an entry that is not as recorded.

    `chain` are the files from the entry's own to this one, each importing the next.
    """

    component: Component
    path: str
    recorded: str | None
    current: str | None
    chain: tuple[str, ...] = ()

    def __str__(self) -> str:
        word = _CHANGED_WORDS.get(self.component)
        return word or f"{' -> '.join(self.chain) or self.path} ({self.component})"

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "component": self.component, "path": self.path, "chain": list(self.chain),
            "recorded": self.recorded, "current": self.current,
        }  # fmt: skip


def is_structural(state: State) -> bool:
    """True when the registry names what is not there, so that push stops."""
    return state not in {"ok", "changed", "stale", "new"}


def find_state(
    findings: Sequence[Finding], reasons: Sequence[Reason], match: Match | None
) -> State:
    """Return the first state whose rule holds."""
    codes = {item.code for item in findings if item.structural}
    if "parse_failed" in codes:
        return "broken"
    if match is not None:
        if not match.certain:
            return "renamed?"
        return "moved" if match.moved_only else "renamed"
    if codes & _MISSING:
        return "missing"
    if codes & _ORPHANED:
        return "orphaned"
    if codes:
        return "drifted"
    if any(reason.component == "own" for reason in reasons):
        return "changed"
    return "stale" if reasons else "ok"


def find_reasons(
    recorded: Entry, current: Entry, environment_before: str | None, environment_now: str
) -> tuple[Reason, ...]:
    """Return what differs between a record and the code, own code first.

    Records of older files hold no fingerprints; their raw digests are compared then.
    """
    return tuple(_differences(recorded, current, environment_before, environment_now))


def _differences(
    recorded: Entry, current: Entry, environment_before: str | None, environment_now: str
) -> Iterator[Reason]:
    path = recorded.path.as_posix()
    if recorded.fingerprint is None:
        if recorded.raw_digest != current.raw_digest:
            yield Reason("own", path, recorded.raw_digest, current.raw_digest)
        known = set(recorded.data_digests)
        yield from _moved_digests("data", recorded.data_digests, current.data_digests, known)
        return
    if recorded.fingerprint != current.fingerprint:
        yield Reason("own", path, recorded.fingerprint, current.fingerprint)
    yield from _moved_digests("code", recorded.code_fingerprints, current.code_fingerprints)
    yield from _moved_digests("data", recorded.data_digests, current.data_digests)
    if environment_before is not None and environment_before != environment_now:
        yield Reason("environment", "", environment_before, environment_now)


def _moved_digests(
    component: Component,
    recorded: Mapping[str, str],
    current: Mapping[str, str],
    only: set[str] | None = None,
) -> Iterator[Reason]:
    for path in sorted({**recorded, **current}):
        if only is not None and path not in only:
            continue
        if recorded.get(path) != current.get(path):
            yield Reason(component, path, recorded.get(path), current.get(path))
