"""Import paths kept for existing projects lead to the same objects."""

from __future__ import annotations

import importlib

import pytest

DOORS = [
    "core.alignment",
    "core.target",
    "core.evaluation",
    "core.evaluation.aggregate",
    "core.evaluation.composable",
    "core.evaluation.factories",
    "core.evaluation.likelihood",
    "core.evaluation.loglik_fns",
    "core.evaluation.loss",
    "core.evaluation.loss.base",
    "core.evaluation.reduce",
]


@pytest.mark.parametrize("door", DOORS)
def test_a_door_re_exports(door: str) -> None:
    import modelops_calabaria as face

    module = importlib.import_module(f"modelops_calabaria.{door}")
    assert module.__all__
    for name in module.__all__:
        value = getattr(module, name)
        assert getattr(face, name, value) is value
        assert not getattr(value, "__module__", "").startswith("modelops_calabaria.core")


def test_one_result_class_under_both_paths() -> None:
    from modelops_calabaria.core.evaluation.likelihood import TargetLikelihoodResult
    from modelops_calabaria.core.target import TargetLikelihoodResult as Same

    assert TargetLikelihoodResult is Same
