"""New keys between those of an edited YAML document; comments stay above what they are about."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any


def insert_key(node: Any, key: Any, value: Any, order: Iterable[Any]) -> None:
    """Put a new key where `order`, which holds it, has it among the keys of a mapping.

    The mapping keeps the order of what it has: the new key follows the last of those that precede
    it in `order`.
    """
    earlier: set[Any] = set()
    for item in order:
        if item == key:
            break
        earlier.add(item)
    position = max((number for number, item in enumerate(node) if item in earlier), default=-1)
    node.insert(position + 1, key, value)


def tie_comments(node: Any) -> None:
    """Tie every comment above a key to that key.

    The parser ties it to the end of what precedes, with which it would move or vanish.
    """
    from ruamel.yaml.comments import CommentedMap

    if not isinstance(node, CommentedMap):
        return
    for previous, following in pairwise(list(node)):
        _tie(node, previous, following)
    for value in node.values():
        tie_comments(value)


def _tie(node: Any, previous: Any, following: Any) -> None:
    items, place, slot = _end_of(node, previous)
    token = items[place][slot] if place in items else None
    if token is None:
        return
    head, newline, tail = token.value.partition("\n")
    if not tail:
        return
    token.value = head + newline
    if not head:
        items[place][slot] = None
    before = node.ca.items.setdefault(following, [None, None, None, None])
    before[1] = [*_tokens(tail), *(before[1] or ())]


def _end_of(node: Any, key: Any) -> tuple[Any, Any, int]:
    """Return where the comment behind the last line of a value is kept."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    value = node[key]
    if isinstance(value, CommentedMap) and value and not value.fa.flow_style():
        return _end_of(value, next(reversed(list(value))))
    if isinstance(value, CommentedSeq) and value and not value.fa.flow_style():
        return _end_of(value, len(value) - 1)
    return node.ca.items, key, 0 if isinstance(node, CommentedSeq) else 2


def _tokens(text: str) -> list[Any]:
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    return [
        CommentToken(line.lstrip(" "), CommentMark(len(line) - len(line.lstrip(" "))), None)
        for line in text.splitlines(keepends=True)
    ]
