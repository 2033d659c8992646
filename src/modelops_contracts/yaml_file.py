"""YAML files that people and programs both edit; comments, order and quotes survive an edit."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.yaml_insert import insert_key, tie_comments

_CONFLICT = re.compile(r"^(<{7} |={7}$|>{7} )")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_OFFSET_LIST = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*\n\1 +- ", re.MULTILINE)


def read_yaml_text(path: Path) -> str:
    """Return the text of a YAML file; `NotFound` without one, `InvalidInput` when not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFound(f"{path} not found", hint="mops bundle init") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not UTF-8 text (byte {error.start})") from error


def write_yaml(path: Path, wanted: Mapping[str, Any], *, template: Path | None = None) -> bool:
    """Make a YAML file say `wanted`, atomically; tell whether it had to change.

    A file that already says the same is left alone, byte for byte. `template` is the file whose
    comments and order are kept when `path` itself does not exist yet.
    """
    base = path if path.exists() else template
    text = read_yaml_text(base) if base is not None and base.exists() else ""
    if not text.strip():
        write_atomically(path, dump_yaml(wanted))
        return True
    updated = _updated(text, wanted, str(base))
    if path.exists() and updated == text:
        return False
    write_atomically(path, updated)
    return True


def _updated(text: str, wanted: Mapping[str, Any], path: str) -> str:
    from ruamel.yaml.error import YAMLError

    _refuse_conflict_markers(text, path)
    try:
        return update_yaml(text, wanted)
    except YAMLError:
        parse_yaml(text, path)  # names the line
        raise


def parse_yaml(text: str, path: str) -> Any:
    """Parse YAML into plain data; `InvalidInput` names the line of a mistake."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    _refuse_conflict_markers(text, path)
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else path
        raise InvalidInput(f"{where}: {error.problem or 'not valid YAML'}") from error
    except YAMLError as error:
        raise InvalidInput(f"{path}: not valid YAML: {error}") from error


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Return new YAML text for plain data."""
    return _dump(data, offset_lists=False)


def update_yaml(text: str, wanted: Mapping[str, Any]) -> str:
    """Return `text` edited so that it says `wanted`; unchanged parts stay as they are written."""
    from ruamel.yaml.comments import CommentedMap

    document = _round_trip(offset_lists=False).load(text)
    if not isinstance(document, CommentedMap):
        return dump_yaml(wanted)
    tie_comments(document)
    if not _update_map(document, wanted):
        return text
    return _dump(document, offset_lists=_OFFSET_LIST.search(text) is not None)


def _refuse_conflict_markers(text: str, path: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        if _CONFLICT.match(line):
            raise InvalidInput(
                f"{path}:{number}: unresolved git conflict",
                hint="resolve it in the file, then: mops bundle status",
            )


def _round_trip(*, offset_lists: bool) -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.allow_unicode = True
    if offset_lists:
        yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dump(data: Any, *, offset_lists: bool) -> str:
    stream = io.StringIO()
    _round_trip(offset_lists=offset_lists).dump(data, stream)
    return stream.getvalue()


def _update_map(node: Any, wanted: Mapping[str, Any]) -> bool:
    changed = False
    for key in [key for key in node if key not in wanted]:
        if node[key] in (None, [], {}):
            continue  # an empty section that somebody wrote says what an absent one says
        del node[key]
        changed = True
    for key, value in wanted.items():
        changed |= _update_key(node, key, value, wanted)
    return changed


def _update_key(node: Any, key: str, value: Any, order: Iterable[str]) -> bool:
    if key not in node:
        if value in (None, [], {}):
            return False
        insert_key(node, key, value, order)
        return True
    current = node[key]
    if current == value or (current is None and value in ([], {})):
        return False
    if _is_version(key, current, value):
        return False
    if isinstance(current, dict) and isinstance(value, Mapping) and current:
        return _update_map(current, value)
    if isinstance(current, list) and isinstance(value, list) and current and value:
        _update_list(current, value)
        return True
    node[key] = value
    return True


def _is_version(key: str, current: Any, value: Any) -> bool:
    return key == "version" and str(current) == str(value)


def _update_list(node: Any, wanted: list[Any]) -> None:
    for index in reversed(range(len(node))):
        if node[index] not in wanted:
            del node[index]
    for item in wanted:
        if item not in node:
            node.append(item)
    if list(node) != wanted:
        node[:] = wanted


def line_of(text: str, where: str) -> int | None:
    """Return the line of the deepest part of a path such as `$.targets.inc.data[0]`."""
    node = _round_trip(offset_lists=False).load(text)
    line: int | None = None
    for key, index in _STEP.findall(where[1:]):
        position = getattr(node, "lc", None)
        step: Any = int(index) if index else key
        if position is None or position.data is None or step not in position.data:
            break
        line = position.data[step][0] + 1
        node = node[step]
    return line
