"""The grammar of entrypoints."""

from __future__ import annotations

import pytest

from modelops_contracts.entrypoint import (
    ENTRYPOINT_GRAMMAR_VERSION,
    format_entrypoint,
    is_scenario_slug,
    nearest_slug,
    parse_entrypoint,
)
from modelops_contracts.errors import EntrypointFormatError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("models.sir.SIR/baseline", ("models.sir.SIR", "baseline")),
        ("sir.Sir/baseline", ("sir.Sir", "baseline")),
        ("a.b/0", ("a.b", "0")),
        ("a.b/x-y_z.1", ("a.b", "x-y_z.1")),
        ("модель.Класс/baseline", ("модель.Класс", "baseline")),
        ("targets.incidence:weekly", ("targets.incidence", "weekly")),
        ("targets:f", ("targets", "f")),
        ("a.b/" + "s" * 64, ("a.b", "s" * 64)),
    ],
)
def test_accepted(text: str, parts: tuple[str, str]) -> None:
    assert parse_entrypoint(text) == parts


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("single/baseline", "Invalid import_path format"),
        ("a..b/baseline", "Invalid import_path format"),
        (".a.b/baseline", "Invalid import_path format"),
        ("a.1b/baseline", "Invalid import_path format"),
        ("a.b\n/baseline", "Invalid import_path format"),
        ("a.b/Baseline", "Invalid scenario slug"),
        ("a.b/", "Invalid scenario slug"),
        ("a.b/-x", "Invalid scenario slug"),
        ("a.b/x-", "Invalid scenario slug"),
        ("a.b/x/y", "Invalid scenario slug"),
        ("a.b/x\n", "Invalid scenario slug"),
        ("a.b/" + "s" * 65, "Invalid scenario slug"),
        ("a.-b:f", "Invalid module path format"),
        (":f", "Invalid module path format"),
        ("a.b:", "Invalid Python object name"),
        ("a.b:c.d", "Invalid Python object name"),
        ("a.b:C/baseline", "Ambiguous entrypoint format"),
        ("nothing", r"Invalid entrypoint format \(must contain"),
        ("", r"Invalid entrypoint format \(must contain"),
    ],
)
def test_refused(text: str, fragment: str) -> None:
    with pytest.raises(EntrypointFormatError, match=fragment):
        parse_entrypoint(text)


def test_format_is_the_inverse() -> None:
    assert format_entrypoint("models.sir.SIR", "baseline") == "models.sir.SIR/baseline"
    with pytest.raises(ValueError, match="Invalid import_path format"):
        format_entrypoint("SIR", "baseline")
    with pytest.raises(ValueError, match="Invalid scenario slug"):
        format_entrypoint("models.SIR", "Lock Down")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Lock Down", "lock-down"),
        ("--x--", "x"),
        ("Ümläut", "ml-ut"),
        ("!!!", "scenario"),
        ("a" * 80, "a" * 64),
    ],
)
def test_nearest_slug_is_legal(name: str, slug: str) -> None:
    assert nearest_slug(name) == slug
    assert is_scenario_slug(slug)


def test_version() -> None:
    assert ENTRYPOINT_GRAMMAR_VERSION == 2
