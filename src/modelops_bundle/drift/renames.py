"""Which new definition is the old one under another name: pure matching, nothing is guessed.

Each lost entry and each candidate is used at most once; a stage accepts only pairs that are
unique both ways, so that an ambiguous rename is never applied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from modelops_bundle.code.fingerprint import similarity

MOVED_SIMILARITY = 0.7
RENAMED_SIMILARITY = 0.5
CLEAR_LEAD = 0.1
ENOUGH_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Lost:
    """A registered entry whose definition is gone.

    `sketch` is the multiset of token pairs of the old definition, when it is still known;
    `facets` are facts that a probable rename must share, such as `output:inc`.
    """

    id: str
    path: str
    symbol: str
    body: str | None = None
    sketch: Counter[str] | None = None
    facets: frozenset[str] = frozenset()
    file_gone: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A definition that no entry names."""

    path: str
    symbol: str
    body: str | None
    explicit_name: str | None = None
    tokens: int = 0
    sketch: Counter[str] = field(default_factory=Counter)
    facets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Match:
    """A lost entry and what it became; `certain` when nothing needs to be asked."""

    lost: Lost
    candidate: Candidate
    certain: bool
    similarity: float = 1.0

    @property
    def moved_only(self) -> bool:
        """True when the name stayed and the file changed."""
        return self.lost.symbol == self.candidate.symbol


_Rule = Callable[[Lost, Candidate], bool]


def match_renames(lost: Sequence[Lost], candidates: Sequence[Candidate]) -> list[Match]:
    """Pair lost entries with candidates, surest rules first.

    What a sure rule finds several times is proposed, each pair, and never applied unasked.
    """
    left, free = list(lost), list(candidates)
    found: list[Match] = []
    for rule in _STAGES[:4]:
        for old, new in _unique_pairs(left, free, rule):
            found.append(Match(old, new, certain=True))
            left.remove(old)
            free.remove(new)
    for old, new in _unique_pairs(left, free, _moved_and_edited):
        found.append(Match(old, new, certain=old.file_gone, similarity=_alike(old, new)))
        left.remove(old)
        free.remove(new)
    likely = _probable(left, free)
    asked = {id(match.lost) for match in likely}
    likely += [
        Match(old, new, certain=False, similarity=max(_alike(old, new), _as_body(old, new)))
        for old in left
        for new in free
        if id(old) not in asked and any(rule(old, new) for rule in _STAGES)
    ]
    return sorted([*found, *likely], key=lambda match: match.lost.id)


def is_only_proposal(match: Match, proposals: Sequence[Match]) -> bool:
    """True when no other proposal is about the same entry or the same definition."""
    rivals = [
        other for other in proposals
        if other.lost is match.lost or other.candidate is match.candidate
    ]  # fmt: skip
    return len(rivals) == 1


def _same_explicit_name(old: Lost, new: Candidate) -> bool:
    return new.explicit_name is not None and new.explicit_name == old.id


def _renamed_in_place(old: Lost, new: Candidate) -> bool:
    return old.path == new.path and old.body is not None and old.body == new.body


def _moved_unchanged(old: Lost, new: Candidate) -> bool:
    same_body = old.body is not None and old.body == new.body
    return same_body and old.symbol == new.symbol and old.path != new.path


def _moved_and_renamed(old: Lost, new: Candidate) -> bool:
    same_body = old.body is not None and old.body == new.body
    return same_body and new.tokens >= ENOUGH_TOKENS and old.path != new.path


def _moved_and_edited(old: Lost, new: Candidate) -> bool:
    if old.symbol != new.symbol or old.path == new.path:
        return False
    return _alike(old, new) >= MOVED_SIMILARITY


_STAGES: tuple[_Rule, ...] = (
    _same_explicit_name, _renamed_in_place, _moved_unchanged, _moved_and_renamed,
    _moved_and_edited,
)  # fmt: skip


def _as_body(old: Lost, new: Candidate) -> float:
    return 1.0 if old.body is not None and old.body == new.body else 0.0


def _alike(old: Lost, new: Candidate) -> float:
    return similarity(old.sketch, new.sketch) if old.sketch is not None else 0.0


def _unique_pairs(
    lost: Sequence[Lost], candidates: Sequence[Candidate], rule: _Rule
) -> list[tuple[Lost, Candidate]]:
    pairs = [(old, new) for old in lost for new in candidates if rule(old, new)]
    olds = Counter(id(old) for old, _ in pairs)
    news = Counter(id(new) for _, new in pairs)
    return [(old, new) for old, new in pairs if olds[id(old)] == 1 and news[id(new)] == 1]


def _probable(lost: Sequence[Lost], candidates: Sequence[Candidate]) -> list[Match]:
    found = []
    for old in lost:
        for new in candidates:
            score = _alike(old, new)
            if score < RENAMED_SIMILARITY or not old.facets & new.facets:
                continue
            rivals = [_alike(old, other) for other in candidates if other is not new]
            rivals += [_alike(other, new) for other in lost if other is not old]
            if all(score >= rival + CLEAR_LEAD for rival in rivals):
                found.append(Match(old, new, certain=False, similarity=score))
    return found
