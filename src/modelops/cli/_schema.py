"""JSON Schemas of what the commands answer, made from their dataclasses.

`python -m modelops.cli._schema docs/reference/json` writes one file per command; a test fails when
the files and the dataclasses differ.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from modelops.cli._click import Leaf, load_leaf
from modelops.cli._errors import SCHEMA as ERROR_SCHEMA
from modelops.cli._json import key_of, schema_name
from modelops.cli._tree import TREE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    float: {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]},
    Any: {},
    object: {},
    Path: {"type": "string"},
}


def describe_type(kind: Any) -> dict[str, Any]:
    """The schema of one annotated type."""
    if kind in PLAIN:
        return dict(PLAIN[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [describe_type(argument) for argument in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": describe_type(arguments[1])}
    if origin is not None and issubclass(origin, Sequence):
        return {"type": "array", "items": describe_type(arguments[0])}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if is_dataclass(kind):
        return describe_dataclass(kind)
    raise AssertionError(f"{kind} has no schema")


def describe_dataclass(kind: Any) -> dict[str, Any]:
    """An object with every field; fields may be added within one version, so others are allowed."""
    hints = get_type_hints(kind)
    required = [
        key_of(item.name)
        for item in fields(kind)
        if item.default is MISSING and item.default_factory is MISSING
    ]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {key_of(item.name): describe_type(hints[item.name]) for item in fields(kind)},
        "required": required,
    }
    if kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("):
        schema["description"] = " ".join(kind.__doc__.split())
    return schema


def answer_schema(leaf: Leaf) -> dict[str, Any]:
    """The schema of a command's answer. Of a stream it is the last line."""
    name = schema_name(leaf.path)
    body = describe_dataclass(leaf.answer)
    head: dict[str, Any] = {"schema": {"const": name}}
    if leaf.stream:
        head["event"] = {"const": "result"}
    body["properties"] = {
        **head,
        **body["properties"],
        "warnings": {"type": "array", "items": {"type": "string"}},
    }
    body["required"] = [*head, *body["required"], "warnings"]
    return {"$schema": DIALECT, "$id": name, **body}


def error_schema() -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string"}
    maybe = {"anyOf": [text, {"type": "null"}]}
    detail = {
        "type": "object",
        "properties": {"path": text, "message": text},
        "required": ["path", "message"],
    }
    properties = {
        "code": text,
        "message": text,
        "hint": maybe,
        "exit_code": {"type": "integer"},
        "retryable": {"type": "boolean"},
        "details": {"type": "array", "items": detail},
        "nearest": {"type": "array", "items": text},
        "traceback": maybe,
    }
    error = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "$schema": DIALECT,
        "$id": ERROR_SCHEMA,
        "type": "object",
        "properties": {"schema": {"const": ERROR_SCHEMA}, "error": error},
        "required": ["schema", "error"],
        "description": "What every command answers when it fails.",
    }


def all_schemas() -> dict[str, str]:
    """File name -> text, for every command and the error."""
    schemas = [error_schema()]
    schemas += [answer_schema(load_leaf(path)) for path, entry in TREE.items() if entry.target]
    return {
        f"{schema['$id'].replace('/', '.')}.json": json.dumps(schema, indent=2) + "\n"
        for schema in schemas
    }


def write_schemas(folder: Path) -> None:
    """Write every schema and remove those of commands that are gone."""
    wanted = all_schemas()
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
