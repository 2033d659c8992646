from __future__ import annotations

import pickle

import numpy as np
import pytest

from modelops_calabaria.parameters import ConfigSpec, ConfigurationSet, ConfigurationSpace

SPACE = ConfigurationSpace([ConfigSpec("days", 10), ConfigSpec("ages", [1, 2], "age groups")])


def test_mistakes():
    with pytest.raises(ValueError, match="name cannot be empty"):
        ConfigSpec("", 1)
    with pytest.raises(ValueError, match="Duplicate configuration names: a"):
        ConfigurationSpace([ConfigSpec("a", 1), ConfigSpec("a", 2)])
    with pytest.raises(ValueError, match="Unknown configurations: dyas"):
        ConfigurationSet.from_defaults(SPACE, dyas=3)
    with pytest.raises(ValueError, match="Missing required configurations: ages"):
        ConfigurationSet.new(SPACE, days=3)
    with pytest.raises(KeyError, match="Unknown configuration: x"):
        SPACE.get_spec("x")
    with pytest.raises(KeyError, match="Configuration x not in set"):
        ConfigurationSet.from_defaults(SPACE)["x"]


def test_defaults_are_copies():
    first = ConfigurationSet.from_defaults(SPACE)
    first["ages"].append(3)
    assert ConfigurationSet.from_defaults(SPACE)["ages"] == [1, 2]
    exported = ConfigurationSet.from_defaults(SPACE).to_dict()
    exported["ages"].append(4)
    assert SPACE.defaults() == {"days": 10, "ages": [1, 2]}


def test_it_reads_like_a_mapping():
    config = ConfigurationSet.from_defaults(SPACE, days=7)
    assert dict(config) == {**config} == {"days": 7, "ages": [1, 2]}
    assert config.values["days"] == 7
    assert list(config.items()) == [("days", 7), ("ages", [1, 2])]
    assert config.get("x", 1) == 1
    assert config.with_updates(days=8)["days"] == 8
    assert config == ConfigurationSet.from_dict(SPACE, {"ages": [1, 2], "days": 7})
    assert pickle.loads(pickle.dumps(config)) == config


def test_sets_that_hold_arrays_compare():
    space = ConfigurationSpace([ConfigSpec("contacts", np.eye(2)), ConfigSpec("n", 1)])
    one, two = (ConfigurationSet.from_defaults(space) for _ in range(2))
    assert one == two
    assert one != two.with_updates(contacts=np.ones((2, 2)))
    assert one != two.with_updates(n=2)


def test_only_what_differs_from_the_defaults_is_a_change():
    space = ConfigurationSpace(
        [ConfigSpec("contacts", np.eye(2)), ConfigSpec("f", len), ConfigSpec("n", 1)]
    )
    config = ConfigurationSet.from_defaults(space)
    assert config.changes() == {}
    assert config.with_updates(n=1.0, f=max).changes() == {"f": max, "n": 1.0}
