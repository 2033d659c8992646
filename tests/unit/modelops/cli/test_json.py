"""Values of answers as JSON. Annotations are evaluated at once: other tests forget modules."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelops.cli._json import one_line, schema_name, to_json
from modelops.cli._schema import DIALECT, describe_dataclass, describe_type


@dataclass(frozen=True, slots=True)
class Inner:
    value: float


@dataclass(frozen=True, slots=True)
class Outer:
    """Something to answer with."""

    name: str
    path: Path
    inner: Inner | None
    numbers: list[float]
    counts: dict[str, int]
    state: Literal["new", "old"]
    anything: Any = None
    extra: tuple[int, ...] = field(default_factory=tuple)


def test_dataclasses_mappings_and_paths() -> None:
    value = Outer(
        "n", Path("a/b"), Inner(1.5), [1.0, math.inf], {"k": 2}, "new", MappingProxyType({})
    )
    assert to_json(value) == {
        "name": "n",
        "path": "a/b",
        "inner": {"value": 1.5},
        "numbers": [1.0, "inf"],
        "counts": {"k": 2},
        "state": "new",
        "anything": {},
        "extra": [],
    }


def test_what_has_no_json_form_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="object has no JSON form"):
        to_json(object())


@given(st.floats())
def test_every_float_fits_its_schema(value: float) -> None:
    shown = json.loads(one_line({"value": to_json(value)}))
    jsonschema.validate(shown["value"], describe_type(float))
    assert math.isnan(value) or float(shown["value"]) == value


def test_a_value_fits_the_schema_of_its_class() -> None:
    schema = {"$schema": DIALECT, **describe_dataclass(Outer)}
    jsonschema.Draft202012Validator.check_schema(schema)
    value = to_json(Outer("n", Path("a"), None, [math.nan], {}, "old"))
    jsonschema.validate(value, schema)
    assert schema["required"] == ["name", "path", "inner", "numbers", "counts", "state"]
    assert schema["description"] == "Something to answer with."
    for key in schema["required"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in value.items() if k != key}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**value, "state": "other"}, schema)


def test_names_of_schemas() -> None:
    assert schema_name("mops jobs list") == "mops.jobs.list/1"
    assert schema_name("cb sampling sobol") == "cb.sampling.sobol/1"
