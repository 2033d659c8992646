from __future__ import annotations

from pathlib import Path

import pytest

from modelops_bundle.drift.planning import RegisterOptions
from modelops_bundle.drift.refreshing import RefreshOptions
from modelops_bundle.project.project import Project
from modelops_bundle.project.tracking import read_tracked
from modelops_bundle.registering import (
    delete_target_set,
    refresh,
    register,
    set_target_set,
    unregister,
)
from modelops_bundle.registry import load_registry, resolve_entry, validate_registry
from modelops_contracts.errors import Conflict, InvalidInput, NotFound
from support.projects import FILES, edit, make_project, make_registered, write_files


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


def codes(project: Project) -> list[tuple[str, str]]:
    found = validate_registry(load_registry(project.root), project.root)
    return [(item.id, item.code) for item in found]


def lines(result: object) -> list[tuple[str, str]]:
    return [(c.action, c.id) for c in result.changes]  # type: ignore[attr-defined]


def test_registering_records_what_the_code_says(project: Project) -> None:
    registry = load_registry(project.root)
    model = registry.models["sir_sir"]
    assert model.entrypoint == "models.sir:Sir"
    assert (model.outputs, model.scenarios) == (["cases"], ["baseline"])
    assert model.parameters == ["beta", "gamma"]
    assert [path.as_posix() for path in model.code] == ["models/__init__.py", "models/helpers.py"]
    target = registry.targets["peak"]
    assert target.weight == 2.0
    assert [path.as_posix() for path in target.data] == ["data/peak.csv"]
    assert target.digest is not None
    assert target.digest.startswith("sha256:")


def test_registering_tracks_what_the_entry_needs(project: Project) -> None:
    assert set(read_tracked(project.root)) == {
        *FILES,
        ".modelops-bundle/registry.yaml",
        ".modelopsignore",
    }


def test_a_clean_project_has_no_findings(project: Project) -> None:
    assert codes(project) == []


def test_registering_again_changes_no_byte(project: Project) -> None:
    before = project.registry_path.read_bytes()
    result = register(project, "target", "targets/counts.py", cwd=project.root)
    assert [c.action for c in result.changes] == ["unchanged", "unchanged"]
    assert project.registry_path.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("targets/counts.py", "def weekly_cases(", "def other(", "symbol_missing"),
        ("targets/counts.py", "def peak", "def peak(:", "parse_failed"),
        ("targets/counts.py", 'model_output="cases", data={"observed": "data/peak.csv"}',
         'model_output="deaths", data={"observed": "data/peak.csv"}', "output_drift"),
        ("targets/counts.py", "weight=2.0", "weight=3.0", "weight_drift"),
        ("targets/counts.py", "data/peak.csv", "data/cases.csv", "data_drift"),
        ("targets/counts.py", "data/peak.csv", "data/gone.csv", "data_missing"),
        ("models/sir.py", '@model_output("cases")', '@model_output("cases2")', "outputs_drift"),
        ("models/sir.py", "(BaseModel)", "", "not_a_model"),
        ("models/sir.py", "class Sir", "class Sir2", "symbol_missing"),
    ],
)  # fmt: skip
def test_structural_drift_is_found(
    project: Project, path: str, old: str, new: str, expected: str
) -> None:
    edit(project, path, old, new)
    assert expected in [code for _, code in codes(project)]


def test_findings_name_what_is_wrong(project: Project) -> None:
    (project.root / "targets/counts.py").unlink()
    found = validate_registry(load_registry(project.root), project.root)
    assert [str(item) for item in found] == [
        "Target peak: file targets/counts.py not found",
        "Target weekly_cases: file targets/counts.py not found",
    ]
    assert {item.hint for item in found} == {"mops bundle refresh"}


def test_a_removed_decorator_orphans_the_entry(project: Project) -> None:
    edit(project, "targets/counts.py",
         '@calibration_target(model_output="cases", data={"observed": "data/peak.csv"}, '
         "weight=2.0)\n", "")  # fmt: skip
    assert ("peak", "not_a_target") in codes(project)
    assert ("removed", "peak") in lines(refresh(project))


def test_a_target_of_an_output_no_model_has(project: Project) -> None:
    edit(project, "targets/counts.py", 'model_output="cases"', 'model_output="deaths"')
    found = validate_registry(load_registry(project.root), project.root)
    texts = [str(item) for item in found if item.code == "output_unknown"]
    assert texts[0] == "Target peak: no registered model has the output 'deaths'; there are: cases"


@pytest.mark.parametrize("change", ["body", "helper", "data", "comment"])
def test_content_drift_is_no_finding(project: Project, change: str) -> None:
    edits = {
        "body": ("targets/counts.py", '"offset": 0', '"offset": 1'),
        "helper": ("models/helpers.py", "* seed", "+ seed"),
        "data": ("data/cases.csv", "2,8", "2,9"),
        "comment": ("models/sir.py", "class Sir", "# about it\nclass Sir"),
    }
    edit(project, *edits[change])
    assert codes(project) == []


def test_missing_file_and_unknown_names(project: Project) -> None:
    with pytest.raises(NotFound, match=r"file targets/nope\.py not found"):
        register(project, "target", "targets/nope.py", cwd=project.root)
    with pytest.raises(NotFound, match="function paek not found") as caught:
        register(project, "target", "targets/counts.py", RegisterOptions(names=("paek",)),
                 cwd=project.root)  # fmt: skip
    assert caught.value.hint is not None
    assert "did you mean peak?" in caught.value.hint


def test_a_scenario_that_no_entry_point_can_name_is_refused(project: Project) -> None:
    before = (project.root / ".modelops-bundle/registry.yaml").read_bytes()
    write_files(project.root, {"models/town.py": (
        "from modelops_calabaria import BaseModel, model_scenario\n\n\n"
        "class Town(BaseModel):\n    def build_sim(self, p, c): ...\n"
        "    def run_sim(self, s, seed): ...\n"
        "    @model_scenario('Lock Down')\n    def lock_down(self): ...\n"
    )})  # fmt: skip
    with pytest.raises(InvalidInput, match="scenario 'Lock Down' of Town") as caught:
        register(project, "model", "models/town.py", cwd=project.root)
    assert caught.value.hint == "rename it, for example to 'lock-down'"
    assert (project.root / ".modelops-bundle/registry.yaml").read_bytes() == before


def test_a_file_without_models_says_so(project: Project) -> None:
    result = register(project, "model", "models/helpers.py", cwd=project.root)
    assert [str(item) for item in result.plan.findings] == [
        (
            "no model to register in models/helpers.py: it has no class that inherits from "
            "modelops_calabaria.BaseModel"
        )
    ]
    edit(project, "models/helpers.py", "def rate", "from modelops_calabaria import BaseModel\n\n\n"
         "class Sketch(BaseModel): ...\n\n\ndef rate")  # fmt: skip
    result = register(project, "model", "models/helpers.py", cwd=project.root)
    assert result.plan.findings[0].hint == (
        "mops bundle register-model models/helpers.py --class Sketch"
    )


def test_paths_resolve_against_the_working_directory(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    register(project, "model", "sir.py", cwd=project.root / "models")
    register(project, "target", (project.root / "targets/counts.py").resolve())
    assert set(load_registry(project.root).targets) == {"peak", "weekly_cases"}
    with pytest.raises(InvalidInput, match="outside the project"):
        register(project, "model", "../../elsewhere.py", cwd=project.root / "models")


def test_a_renamed_function_keeps_sets_weights_and_old_id(project: Project) -> None:
    set_target_set(project, "all", weights={"weekly_cases": 3.0})
    set_target_set(project, "some", ["weekly_cases"])
    edit(project, "targets/counts.py", "def weekly_cases(", "def counts(")
    result = register(project, "target", "targets/counts.py", cwd=project.root)
    assert ("renamed", "counts") in lines(result)
    (renamed,) = (change for change in result.changes if change.action == "renamed")
    assert renamed.reasons[-2:] == ("sets: all, some", "weights 3.0 in all kept")
    registry = load_registry(project.root)
    assert registry.target_sets["all"].targets == ["peak", "counts"]
    assert registry.target_sets["all"].weights == {"counts": 3.0}
    entry, old = resolve_entry(registry, "target", "weekly_cases")
    assert (entry.symbol, old) == ("counts", "weekly_cases")
    assert codes(project) == []


def test_a_moved_file_is_followed_by_refresh(project: Project) -> None:
    set_target_set(project, "all")
    write_files(project.root, {"targets/new/moved.py": FILES["targets/counts.py"]})
    (project.root / "targets/counts.py").unlink()
    result = refresh(project)
    assert set(lines(result)) >= {("moved", "peak"), ("moved", "weekly_cases")}
    registry = load_registry(project.root)
    assert registry.targets["peak"].entrypoint == "targets.new.moved:peak"
    assert registry.target_sets["all"].targets == ["peak", "weekly_cases"]
    assert "targets/counts.py" not in read_tracked(project.root)
    assert "targets/new/moved.py" in read_tracked(project.root)
    assert codes(project) == []


def test_a_moved_model_keeps_its_id(project: Project) -> None:
    (project.root / "models/core").mkdir()
    (project.root / "models/sir.py").rename(project.root / "models/core/sir.py")
    assert ("moved", "sir_sir") in lines(refresh(project))
    assert load_registry(project.root).models["sir_sir"].entrypoint == "models.core.sir:Sir"
    assert codes(project) == []


def test_an_edited_rename_is_asked_about_only_when_something_is_lost(project: Project) -> None:
    edit(project, "targets/counts.py", "def weekly_cases(", "def counts(")
    edit(project, "targets/counts.py", '"offset": 0', '"offset": 1')
    preview = refresh(project, dry_run=True)
    assert ("removed", "weekly_cases") in lines(preview)
    assert preview.plan.decisions == ()
    set_target_set(project, "all")
    before = project.registry_path.read_bytes()
    with pytest.raises(Conflict) as caught:
        refresh(project)
    assert caught.value.exit_code == 3
    assert "mops bundle refresh --rename weekly_cases=counts" in str(caught.value.hint)
    assert project.registry_path.read_bytes() == before
    refresh(project, RefreshOptions(renames={"weekly_cases": "counts"}))
    assert load_registry(project.root).target_sets["all"].targets == ["peak", "counts"]
    assert codes(project) == []


def test_deleting_a_file_is_cured_by_refresh(project: Project) -> None:
    (project.root / "targets/counts.py").unlink()
    result = refresh(project)
    assert [c.action for c in result.changes if c.kind == "target"] == ["removed", "removed"]
    assert "targets/counts.py" not in read_tracked(project.root)
    assert codes(project) == []


def test_refresh_twice_changes_nothing(project: Project) -> None:
    edit(project, "models/helpers.py", "* seed", "+ seed")
    refresh(project)
    before = project.registry_path.read_bytes()
    assert all(c.action == "unchanged" for c in refresh(project).changes)
    assert project.registry_path.read_bytes() == before


def test_refresh_leaves_entries_of_a_broken_file_alone(project: Project) -> None:
    edit(project, "targets/counts.py", "def peak", "def peak(:")
    result = refresh(project)
    assert {item.code for item in result.plan.findings} == {"parse_failed"}
    assert set(load_registry(project.root).targets) == {"peak", "weekly_cases"}


def test_new_definitions_are_offered_then_added(project: Project) -> None:
    extra = '@calibration_target(model_output="cases")\ndef extra(): ...\n\n\n'
    edit(project, "targets/counts.py", "def read(path)", extra + "def read(path)")
    assert ("new", "extra") in lines(refresh(project))
    assert "extra" not in load_registry(project.root).targets
    assert ("added", "extra") in lines(refresh(project, RefreshOptions(add_new=True)))


def test_named_registration_touches_nothing_else(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    register(project, "target", "targets/counts.py", RegisterOptions(names=("peak",)),
             cwd=project.root)  # fmt: skip
    assert set(load_registry(project.root).targets) == {"peak"}
    assert load_registry(project.root).sources["targets/counts.py"].targets == ["peak"]
    assert lines(refresh(project)) == [("unchanged", "peak")]


def test_excluded_names_stay_out(project: Project) -> None:
    register(project, "target", "targets/counts.py", RegisterOptions(exclude=("peak",)),
             cwd=project.root)  # fmt: skip
    assert set(load_registry(project.root).targets) == {"weekly_cases"}
    result = register(project, "target", "targets/counts.py", cwd=project.root)
    assert lines(result) == [("unchanged", "weekly_cases")]


def test_choices_survive_a_second_registration(project: Project) -> None:
    write_files(project.root, {"data/extra.csv": "1\n"})
    options = RegisterOptions(data=("data/extra.csv",), labels={"a": "b"}, id="mine")
    register(project, "model", "models/sir.py", options, cwd=project.root)
    register(project, "model", "models/sir.py", cwd=project.root)
    entry = load_registry(project.root).models["mine"]
    assert [path.as_posix() for path in entry.data] == ["data/extra.csv"]
    assert entry.labels == {"a": "b"}
    register(project, "model", "models/sir.py", RegisterOptions(data=()), cwd=project.root)
    assert load_registry(project.root).models["mine"].data == []


def test_two_files_with_one_name_are_refused(project: Project) -> None:
    write_files(project.root, {"targets/b.py": FILES["targets/counts.py"]})
    before = project.registry_path.read_bytes()
    with pytest.raises(InvalidInput, match="would name both") as caught:
        register(project, "target", "targets/b.py", cwd=project.root)
    assert "--id" in str(caught.value.hint)
    assert project.registry_path.read_bytes() == before


def test_an_unreadable_output_must_be_given(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    write_files(project.root, {"targets/x.py": "from modelops_calabaria import *\n"
                "@calibration_target(model_output=pick())\ndef f(): ...\n"})  # fmt: skip
    with pytest.raises(InvalidInput, match="which model output") as caught:
        register(project, "target", "targets/x.py", cwd=project.root)
    assert "--output" in str(caught.value.hint)
    register(project, "target", "targets/x.py", RegisterOptions(model_output="cases"),
             cwd=project.root)  # fmt: skip
    assert load_registry(project.root).targets["f"].model_output == "cases"


def test_secrets_are_never_tracked(project: Project) -> None:
    secret = "ghp_" + "a" * 36
    write_files(project.root, {"data/token.csv": f"a\n{secret}\n"})
    options = RegisterOptions(data=("data/token.csv",))
    with pytest.raises(InvalidInput, match=r"data/token\.csv:2") as caught:
        register(project, "model", "models/sir.py", options, cwd=project.root)
    assert secret not in str(caught.value)
    assert "data/token.csv" not in read_tracked(project.root)


def test_detected_data_of_one_target_is_not_the_other_ones(project: Project) -> None:
    edit(project, "targets/counts.py", '"kind": "weekly"', '"kind": "data/extra.csv"')
    write_files(project.root, {"data/extra.csv": "1\n"})
    refresh(project)
    registry = load_registry(project.root)
    assert Path("data/extra.csv") in registry.targets["weekly_cases"].data
    assert Path("data/extra.csv") not in registry.targets["peak"].data


def test_resolving_names(project: Project) -> None:
    registry = load_registry(project.root)
    for name in ("sir_sir", "models.sir:Sir", "models.sir.Sir", "models/sir.py:Sir"):
        entry, old = resolve_entry(registry, "model", name)
        assert (entry.symbol, old) == ("Sir", None)
    with pytest.raises(NotFound) as caught:
        resolve_entry(registry, "target", "peek")
    assert "did you mean peak" in str(caught.value.hint)


def test_unregistering_and_target_sets(project: Project) -> None:
    set_target_set(project, "all")
    with pytest.raises(Conflict) as caught:
        unregister(project, ["peak"])
    assert caught.value.exit_code == 3
    unregister(project, ["peak"], force=True)
    assert load_registry(project.root).target_sets["all"].targets == ["weekly_cases"]
    delete_target_set(project, "all")
    with pytest.raises(NotFound, match="no target set 'all'"):
        delete_target_set(project, "all")


def test_digests_move_with_code_data_and_environment_only(project: Project) -> None:
    def digests() -> dict[str, str | None]:
        refresh(project)
        registry = load_registry(project.root)
        return {key: e.digest for key, e in {**registry.models, **registry.targets}.items()}

    start = digests()
    edit(project, "models/sir.py", "class Sir", "# a comment\nclass Sir")
    assert digests() == start
    edit(project, "models/helpers.py", "* seed", "+ seed")
    after_helper = digests()
    assert after_helper["sir_sir"] != start["sir_sir"]
    assert after_helper["peak"] == start["peak"]
    edit(project, "data/peak.csv", "8", "9")
    after_data = digests()
    assert after_data["peak"] != start["peak"]
    assert after_data["weekly_cases"] == start["weekly_cases"]
    edit(project, "pyproject.toml", '"modelops"', '"modelops", "starsim"')
    after_environment = digests()
    assert all(after_environment[key] != after_data[key] for key in start)
    edit(project, "pyproject.toml", 'version = "0.1.0"', 'version = "0.2.0"')
    assert digests() == after_environment
