from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.registry import (
    BundleRegistry,
    EnvironmentRecord,
    ModelEntry,
    Move,
    Registration,
    Source,
    TargetEntry,
    module_name,
)

SEED_FILE = """\
# the models of this project
version: '1.0'
models:
  sir: {entrypoint: models.sir:Sir, path: src/models/sir.py, class_name: Sir, scenarios: [baseline],
    outputs: [inc], data: [data/x.csv], colour: red}
targets:
  inc:   # weekly counts
    path: targets/t.py
    entrypoint: "targets.t:inc"
    model_output: inc
    data:
    - data/x.csv   # from the ministry
target_sets:
  all: {targets: [inc], weights: {inc: 2.0}}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("models/sir.py", "models.sir"),
        ("src/models/sir.py", "models.sir"),
        ("src\\models\\sir.py", "models.sir"),
        ("./sir.py", "sir"),
        ("src.py", "src"),
        ("pkg/__init__.py", "pkg"),
        ("/somewhere/else/sir.py", "sir"),
    ],
)
def test_module_name(path: str, expected: str) -> None:
    assert module_name(path) == expected


def test_entries_know_their_entrypoint_and_paths() -> None:
    registry = BundleRegistry()
    entry = registry.add_model("sir", "src/models/sir.py", "Sir", outputs=["inc"])
    registry.add_target("inc", Path("targets/t.py"), "targets.t:inc", "inc", data=["data/x.csv"])
    assert entry.entrypoint == "models.sir:Sir"
    assert registry.get_all_dependencies() == [
        Path("data/x.csv"),
        Path("src/models/sir.py"),
        Path("targets/t.py"),
    ]


def test_round_trip_through_plain_data() -> None:
    registry = BundleRegistry(
        sources={"a.py": Source(models="all", targets=["f"], exclude=["g"])},
        moved=[Move(kind="target", old="a", new="b")],
        environment=EnvironmentRecord(digest="sha256:1", lock="uv.lock"),
    )
    entry = registry.add_target("b", "a.py", "a:f", "inc")
    entry.weight = 2.5
    entry.registration = Registration(id="explicit", labels={"k": "v"}, auto_data=False)
    registry.set_target_set("all", ["b", "b"], {"b": 3})
    assert BundleRegistry.from_dict(registry.to_dict()) == registry
    assert registry.target_sets["all"].targets == ["b"]


def test_defaults_are_left_out_of_new_keys() -> None:
    registry = BundleRegistry()
    plain = registry.add_target("t", "a.py", "a:f", "inc").to_dict()
    assert plain == {
        "path": "a.py",
        "entrypoint": "a:f",
        "model_output": "inc",
        "data": [],
        "target_digest": None,
    }


@pytest.mark.parametrize("text", ["", "models: null\n", "version: 1.0\nmodels:\ntargets:\n"])
def test_an_empty_file_is_an_empty_registry(tmp_path: Path, text: str) -> None:
    assert BundleRegistry.load(write(tmp_path / "registry.yaml", text)) == BundleRegistry()


def test_a_missing_file_names_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        BundleRegistry.load(tmp_path / "registry.yaml")
    assert caught.value.hint == "mops bundle init"


def test_saving_the_same_content_changes_no_byte(tmp_path: Path) -> None:
    path = write(tmp_path / "registry.yaml", SEED_FILE)
    BundleRegistry.load(path).save(path)
    assert path.read_text() == SEED_FILE


def test_comments_order_and_unknown_keys_survive_an_edit(tmp_path: Path) -> None:
    path = write(tmp_path / "registry.yaml", SEED_FILE)
    registry = BundleRegistry.load(path)
    registry.targets["inc"].weight = 2.0
    registry.targets["inc"].data.append(Path("data/y.csv"))
    registry.save(path)
    text = path.read_text()
    assert "# the models of this project" in text
    assert "# weekly counts" in text
    assert "# from the ministry" in text
    assert 'entrypoint: "targets.t:inc"' in text
    again = BundleRegistry.load(path)
    assert again == registry
    assert again.models["sir"].extra == {"colour": "red"}


def test_removed_entries_leave_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "registry.yaml", SEED_FILE)
    registry = BundleRegistry.load(path)
    del registry.targets["inc"]
    registry.remove_target_from_sets("inc")
    registry.save(path)
    assert BundleRegistry.load(path).targets == {}
    assert "weekly counts" not in path.read_text()


def test_a_copy_saved_elsewhere_keeps_the_comments(tmp_path: Path) -> None:
    registry = BundleRegistry.load(write(tmp_path / "registry.yaml", SEED_FILE))
    registry.save(tmp_path / "copy.yaml")
    assert "# from the ministry" in (tmp_path / "copy.yaml").read_text()


def test_every_mistake_is_reported_with_path_and_line(tmp_path: Path) -> None:
    text = "models:\n  m:\n    path: 3\n    class_name: C\ntargets:\n  t:\n    data:\n    - 7\n"
    with pytest.raises(InvalidInput) as caught:
        BundleRegistry.load(write(tmp_path / "registry.yaml", text))
    found = {item.path: item.message for item in caught.value.details}
    assert set(found) == {
        "$.models.m.path",
        "$.models.m.entrypoint",
        "$.targets.t.path",
        "$.targets.t.entrypoint",
        "$.targets.t.model_output",
        "$.targets.t.data[0]",
    }
    assert "line 3" in found["$.models.m.path"]
    assert "line 8" in found["$.targets.t.data[0]"]


@pytest.mark.parametrize(
    ("text", "line"), [("models: [\n", 2), ("a: 1\na: 2\n", 2), ("x: 1\n<<<<<<< HEAD\n", 2)]
)
def test_malformed_files_name_the_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(InvalidInput, match=f":{line}: "):
        BundleRegistry.load(write(tmp_path / "registry.yaml", text))


def test_a_future_version_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"2\.0"):
        BundleRegistry.from_dict({"version": "2.0"})


def test_target_sets_refuse_what_cannot_be() -> None:
    registry = BundleRegistry()
    registry.add_target("a", "t.py", "t:a", "inc")
    with pytest.raises(ValueError, match="unknown targets: b"):
        registry.set_target_set("s", ["b"])
    with pytest.raises(InvalidInput, match="weights configured for non-member c") as told:
        registry.set_target_set("s", ["a"], {"c": 1.0})
    assert told.value.hint == "members: a"
    with pytest.raises(ValueError, match="finite number"):
        registry.set_target_set("s", ["a"], {"a": -1.0})
    assert registry.delete_target_set("s") is False


def test_digests_and_invalidation(tmp_path: Path) -> None:
    write(tmp_path / "m.py", "x = 1\n")
    write(tmp_path / "d.csv", "1\n")
    entry = ModelEntry(
        entrypoint="m:M", path=Path("m.py"), class_name="M",
        data=[Path("d.csv"), Path("gone.csv")],
    )  # fmt: skip
    expected = "sha256:" + hashlib.sha256(b"x = 1\n").hexdigest()
    assert entry.compute_digest(tmp_path) == expected
    entry.compute_dependency_digests(tmp_path)
    write(tmp_path / "d.csv", "2\n")
    assert entry.check_invalidation(tmp_path) == [
        "DATA d.csv: content changed",
        "DATA gone.csv: file missing",
    ]
    target = TargetEntry(path=Path("m.py"), entrypoint="m:f", model_output="inc")
    assert target.check_invalidation(tmp_path) == ["TARGET m.py: no digest stored"]


def test_validate_looks_beside_the_file_it_came_from(tmp_path: Path) -> None:
    path = write(tmp_path / ".modelops-bundle" / "registry.yaml", SEED_FILE)
    registry = BundleRegistry.load(path)
    write(tmp_path / "targets" / "t.py", "")
    write(tmp_path / "data" / "x.csv", "")
    assert registry.validate() == ["Model 'sir': file src/models/sir.py not found"]
