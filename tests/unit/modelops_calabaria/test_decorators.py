from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from modelops_calabaria.decorators import (
    calibration_target,
    discover_decorated_methods,
    get_registered_targets,
    model_output,
    model_scenario,
)


class TestMethods:
    def test_marks(self):
        @model_output("x", metadata={"unit": "d"})
        def x(self, anything, whatever):
            pass

        @model_scenario("s")
        def s(self):
            pass

        assert x._is_model_output
        assert x._output_name == "x"
        assert x._output_metadata == {"unit": "d"}
        assert s._is_model_scenario
        assert s._scenario_name == "s"

    def test_only_instance_methods(self):
        for wrong in (lambda raw, seed: 0, lambda self, raw: 0, lambda self, a, b, c: 0):
            with pytest.raises(TypeError, match="must be an instance method"):
                model_output("x")(wrong)
        with pytest.raises(TypeError, match="must be an instance method"):
            model_output("x")(staticmethod(lambda self, raw, seed: 0))
        with pytest.raises(TypeError, match="must be an instance method"):
            model_scenario("x")(lambda self, other: 0)
        model_output("x")(lambda self, raw, seed, extra=1: 0)

    def test_names(self):
        with pytest.raises(ValueError, match="different name"):
            model_output("a")(model_output("b")(lambda self, raw, seed: 0))
        with pytest.raises(ValueError, match="reserved"):
            model_output("metadata")
        with pytest.raises(ValueError, match="needs a name"):
            model_output("")
        with pytest.raises(ValueError, match="needs a name"):
            model_scenario(None)


class TestDiscovery:
    def test_mixins_and_the_nearest_definition(self):
        class Mixin:
            @model_output("mixed")
            def mixed(self, raw, seed):
                return "mixin"

        class Base:
            @model_output("a")
            def a(self, raw, seed):
                return "base"

            @model_output("b")
            def b(self, raw, seed):
                return "base"

            @model_scenario("s")
            def s(self):
                return "base"

        class Child(Mixin, Base):
            @model_output("a")
            def other(self, raw, seed):
                return "child"

            def b(self, raw, seed):
                return "no output any more"

        outputs, scenarios = discover_decorated_methods(Child)
        assert {name: method(None, 0, 0) for name, method in outputs.items()} == {
            "a": "child",
            "mixed": "mixin",
        }
        assert list(scenarios) == ["s"]

    def test_a_renamed_output_leaves_no_ghost(self):
        class Base:
            @model_output("old")
            def x(self, raw, seed):
                pass

        class Child(Base):
            @model_output("new")
            def x(self, raw, seed):
                pass

        class Without(Base):
            x = None

        assert list(discover_decorated_methods(Child)[0]) == ["new"]
        assert discover_decorated_methods(Without)[0] == {}

    def test_one_name_twice_in_a_class(self):
        class Twice:
            @model_output("x")
            def one(self, raw, seed):
                pass

            @model_output("x")
            def two(self, raw, seed):
                pass

        with pytest.raises(TypeError, match="output 'x' is defined twice, by one and two"):
            discover_decorated_methods(Twice)


class TestTargets:
    def test_data_paths_resolve_in_the_project(self, tmp_path, monkeypatch):
        (tmp_path / "data").mkdir()
        (tmp_path / "data/x.csv").write_text("a\n")
        monkeypatch.chdir(tmp_path)

        @calibration_target(model_output="inc", data={"obs": "data/x.csv"}, weight=2.0)
        def cases(data_paths):
            return data_paths["obs"]

        # This test's own project is found first, from the file; the working directory is not it.
        with pytest.raises(FileNotFoundError, match="data file 'obs' not found"):
            cases()
        assert cases(data_paths={"obs": tmp_path / "data/x.csv"}) == tmp_path / "data/x.csv"
        with pytest.raises(ValueError, match="no data file 'obd'"):
            cases(data_paths={"obd": "x"})
        assert cases._target_metadata["model_output"] == "inc"
        assert cases._target_metadata["weight"] == 2.0
        assert cases._original_func({"obs": 1}) == 1
        assert not [p for p in inspect.signature(cases).parameters.values() if p.default is p.empty]

    def test_a_function_without_arguments(self):
        @calibration_target(model_output="inc")
        def seven():
            return 7

        assert seven() == 7
        assert get_registered_targets()["seven"] is seven
        get_registered_targets().clear()
        assert get_registered_targets()["seven"] is seven

    def test_a_second_function_of_one_name_is_refused(self):
        @calibration_target(model_output="inc", name="twice")
        def first():
            pass

        with pytest.raises(ValueError, match=r"'twice' is already registered by .*first"):

            @calibration_target(model_output="inc", name="twice")
            def second():
                pass

    def test_loading_a_file_again_is_no_conflict(self):
        source = compile(
            "@calibration_target(model_output='x')\ndef again(): pass", str(Path("/p/t.py")), "exec"
        )
        for _ in range(2):
            exec(source, {"calibration_target": calibration_target, "__name__": "t"})
        assert "again" in get_registered_targets()

    def test_mistakes(self):
        with pytest.raises(TypeError, match="needs model_output="):
            calibration_target(data={})
        with pytest.raises(ValueError, match="weight must be finite"):
            calibration_target(model_output="x", weight=-1)
        with pytest.raises(TypeError, match="data must map"):
            calibration_target(model_output="x", data="a.csv")


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"weigth": 2.0}, "no keyword 'weigth'; did you mean weight"),
        ({"model_outputs": "o"}, "did you mean model_output"),
        ({"name": 3}, "name must be text"),
        ({"data": {"obs": 3}}, "data must map keys to paths"),
    ],
)
def test_keywords_of_a_target_that_mean_another_are_refused(keywords, told):
    with pytest.raises(TypeError, match=told):
        calibration_target(**{"model_output": "o", **keywords})


def test_keywords_of_a_targets_own_are_kept():
    @calibration_target(model_output="o", source="ministry", date="2020-01-01")
    def described_by_its_author():
        return None

    assert described_by_its_author._target_metadata["source"] == "ministry"
