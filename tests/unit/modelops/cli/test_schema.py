"""The published JSON Schemas are those of the code."""

from __future__ import annotations

import json

import jsonschema
import pytest

from modelops.cli._errors import ErrorReport, error_value
from modelops.cli._schema import all_schemas
from modelops_contracts.errors import Detail
from support.consoles import JSON_SCHEMAS, check_against_schema

SCHEMAS = all_schemas()


def test_no_schema_is_missing_or_left_over() -> None:
    assert {path.name for path in JSON_SCHEMAS.glob("*.json")} == set(SCHEMAS)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schemas_have_not_drifted(name: str) -> None:
    text = (JSON_SCHEMAS / name).read_text(encoding="utf-8")
    assert text == SCHEMAS[name], "run python -m modelops.cli._schema docs/reference/json"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_an_error_fits_its_schema() -> None:
    told = ErrorReport("a.b", "what", "do", 3, True, (Detail("$.x", "bad"),), "trace", ("near",))
    check_against_schema(error_value(told))
    with pytest.raises(jsonschema.ValidationError):
        check_against_schema({"schema": "mops.error/1", "error": {"code": "a"}})
