"""The manifest of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelops_contracts.manifest import BundleManifest, ModelEntry


def entry(module: str, name: str, scenarios: list[str]) -> ModelEntry:
    return ModelEntry(
        entrypoint=f"{module}:{name}",
        path=Path(f"src/{module.replace('.', '/')}.py"),
        class_name=name,
        scenarios=scenarios,
    )


SIR = entry("models.sir", "Sir", ["b", "a"])
SEIR = entry("models.seir", "Seir", ["a"])


def manifest(**changes: Any) -> BundleManifest:
    fields = {
        "bundle_ref": "repo@sha256:" + "a" * 64,
        "bundle_digest": "a" * 64,
        "models": {"sir": SIR, "seir": SEIR},
        **changes,
    }
    return BundleManifest(**fields)


@pytest.mark.parametrize("entrypoint", ["models.sir:Sir", "models.sir.Sir", "models.sir.Sir/a"])
def test_models_by_entrypoint(entrypoint: str) -> None:
    assert manifest().get_model_by_entrypoint(entrypoint) is SIR


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(KeyError, match=r"Model models\.sri\.Sir not found") as caught:
        manifest().get_model_by_entrypoint("models.sri.Sir")
    assert "models.sir.Sir" in caught.value.hint  # type: ignore[attr-defined]


def test_all_entrypoints() -> None:
    assert manifest().list_all_entrypoints() == [
        "models.seir.Seir/a",
        "models.sir.Sir/a",
        "models.sir.Sir/b",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"bundle_ref": ""},
        {"bundle_ref": "a b"},
        {"bundle_digest": "sha256:" + "a" * 64},
        {"bundle_digest": "A" * 64},
        {"models": {}},
        {"version": 2},
    ],
)
def test_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        manifest(**changes)
