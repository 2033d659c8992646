"""Ids follow meaning: not order, not the kind of mapping; and every difference shows."""

from __future__ import annotations

import json
import random
from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelops_contracts.digests import canonical_json, make_param_id, sim_key
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import SimTask

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT
)
LEAVES = st.one_of(SCALARS, st.none())
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
PARAMS = st.dictionaries(TEXT, SCALARS, max_size=6)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(item, chance)) for key, item in value.items()]
        chance.shuffle(items)
        return MappingProxyType(dict(items))
    if isinstance(value, list):
        return tuple(shuffled(item, chance) for item in value)
    return value


def typed(value: Any) -> Any:
    """Compares True, 1 and 1.0, and -0.0 and 0.0, as different."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed(item) for item in value]
    return type(value).__name__, repr(value)


@given(JSON)
def test_canonical_json_is_json_of_the_same_value(value: Any) -> None:
    assert typed(json.loads(canonical_json(value))) == typed(value)


@given(JSON, st.randoms(use_true_random=False))
def test_canonical_json_does_not_depend_on_order_or_container(
    value: Any, chance: random.Random
) -> None:
    assert canonical_json(shuffled(value, chance)) == canonical_json(value)


@given(JSON)
def test_canonical_json_is_stable(value: Any) -> None:
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@given(JSON)
def test_keys_are_sorted_by_code_point_at_every_level(value: Any) -> None:
    def check(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        assert keys == sorted(keys)

    json.loads(canonical_json(value), object_pairs_hook=check)


@given(JSON, JSON)
def test_different_values_have_different_texts(one: Any, two: Any) -> None:
    assert (canonical_json(one) == canonical_json(two)) == (typed(one) == typed(two))


@given(PARAMS, st.randoms(use_true_random=False))
def test_param_id_does_not_depend_on_order(params: dict[str, Any], chance: random.Random) -> None:
    assert make_param_id(shuffled(params, chance)) == make_param_id(params)


@given(PARAMS, PARAMS)
def test_param_ids_tell_values_apart(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert (make_param_id(one) == make_param_id(two)) == (typed(one) == typed(two))


NAME = st.sampled_from(["a", "b", "c"])
TASKS = st.builds(
    SimTask,
    bundle_ref=st.sampled_from(["sha256:" + c * 64 for c in "ab"]),
    entrypoint=st.sampled_from(["m.A/baseline", "m.A/other", "m.B/baseline"]),
    params=st.dictionaries(NAME, st.integers(0, 2), max_size=2).map(UniqueParameterSet.from_dict),
    seed=st.integers(0, 3),
    outputs=st.none() | st.lists(NAME, max_size=2).map(tuple),
    config=st.none() | st.dictionaries(NAME, st.integers(0, 1), max_size=1),
    env=st.none() | st.dictionaries(NAME, st.integers(0, 1), max_size=1),
)


@given(TASKS, TASKS)
def test_tasks_have_one_id_exactly_when_they_are_equal(one: SimTask, two: SimTask) -> None:
    assert (one.task_id() == two.task_id()) == (one == two)
    if one == two:
        assert hash(one) == hash(two)


FIELDS = st.fixed_dictionaries(
    {
        "code": st.sampled_from(["c1", "c2"]),
        "entrypoint": st.sampled_from(["m:A", "m:B"]),
        "scenario": st.sampled_from(["baseline", "other"]),
        "config": st.none() | st.dictionaries(NAME, st.integers(0, 1), max_size=1),
        "params": st.dictionaries(NAME, st.integers(0, 1), max_size=2),
        "seed": st.integers(0, 2),
        "outputs": st.none() | st.lists(NAME, max_size=2).map(tuple),
        "env": st.sampled_from(["e1", "e2"]),
        "wire": st.sampled_from([1, 2]),
    }
)


def meaning(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        **fields,
        "config": fields["config"] or None,
        "outputs": sorted(set(fields["outputs"] or ())) or None,
    }


@given(FIELDS, FIELDS)
def test_simulation_keys_are_equal_exactly_when_the_meaning_is(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    assert (sim_key(**one) == sim_key(**two)) == (meaning(one) == meaning(two))
