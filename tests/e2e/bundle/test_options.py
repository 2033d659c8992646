"""Options of the bundle commands, as typed: each one does what its help says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.consoles import check_against_schema
from support.drift import Drifting, make_drifting


@pytest.fixture
def project(tmp_path: Path) -> Drifting:
    return make_drifting(tmp_path)


def answer(project: Drifting, line: str, code: int = 0) -> dict[str, object]:
    done = project.run(f"{line} --json")
    assert done.code == code, done
    check_against_schema(done.json)
    value: dict[str, object] = done.json
    return value


# --- status ----------------------------------------------------------------------------------


def test_untracked_files_are_listed_when_asked_for(project: Drifting) -> None:
    project.write("notes.txt", "x")
    project.write("results/a.csv", "1")
    project.write("__pycache__/x.pyc", "1")
    project.write(".modelopsignore", "results/\n")
    assert answer(project, "status")["files"]["untracked"] is None  # type: ignore[index]
    listed = answer(project, "status -u")["files"]["untracked"]  # type: ignore[index]
    assert "notes.txt" in listed
    assert not [path for path in listed if "results" in path or "pycache" in path]
    shown = project.run("status --untracked").out
    assert "  ? untracked  notes.txt" in shown
    assert "1 untracked" in shown or "2 untracked" in shown
    only = project.run("status --untracked-only")
    assert only.out.splitlines() == listed
    everything = project.run("status --untracked-only --include-ignored").out.splitlines()
    assert {"results/a.csv", "__pycache__/x.pyc", "notes.txt"} <= set(everything)
    assert not [path for path in everything if path.startswith((".modelops-bundle", ".git/"))]


def test_files_lists_each_with_a_mark_and_a_word(project: Drifting) -> None:
    assert project.run("push").code == 0
    project.write("data/cases.csv", "week,cases\n1,9\n")
    project.write("data/new.csv", "1\n")
    assert project.run("add data/new.csv").code == 0
    shown = project.run("status --files").out
    assert "  M modified   data/cases.csv" in shown
    assert "  A added      data/new.csv" in shown
    assert "data/cases.csv" not in project.run("status").out.partition("Files:")[2]


def test_exit_zero_changes_the_code_and_nothing_else(project: Drifting) -> None:
    project.write("targets/counts.py", "x = 1\n")
    strict, lenient = project.run("status"), project.run("status --exit-zero")
    assert (strict.code, lenient.code) == (3, 0)
    assert strict.out == lenient.out


def test_details_and_explain_name_every_component(project: Drifting) -> None:
    project.edit("models/helpers.py", ("* seed", "* seed + 1"))
    project.write("models/sir.py", "# only a comment\n" + project.text("models/sir.py"))
    value = answer(project, "status --explain sir_sir")
    (row,) = value["explained"]  # type: ignore[misc]
    words = {
        (item["component"], item["path"]): item["word"]
        for item in row["components"]  # type: ignore[index]
    }
    assert words["own", "models/sir.py"] == "format only"
    assert words["code", "models/helpers.py"] == "changed"
    assert words["environment", ""] == "same"
    chain = next(item["chain"] for item in row["components"] if item["word"] == "changed")  # type: ignore[index]
    assert chain == ["models/sir.py", "models/helpers.py"]
    assert "models/sir.py -> models/helpers.py" in project.run("status --explain sir_sir").out
    assert "models/sir.py -> models/helpers.py (code)" in project.run("status").out
    (reason,) = project.entry("model", "sir_sir")["reasons"]
    assert reason["chain"] == ["models/sir.py", "models/helpers.py"]
    shown = project.run("status --details sir_sir").out
    assert "entry point" in shown
    assert "digest" in shown


def test_remote_says_how_both_sides_stand(project: Drifting) -> None:
    def word() -> object:
        return answer(project, "status --remote")["sync"]

    assert word() == "not pushed"
    assert project.run("push").code == 0
    assert word() == "in sync"
    other = Drifting(type(project.consoles)(project.root.parent / "theirs", project.consoles.home))
    assert project.run("clone little ../theirs").code == 0
    project.write("data/cases.csv", "week,cases\n1,9\n")
    assert word() == "ahead"
    assert "Remote: ahead" in project.run("status --remote").out
    assert "Remote:" not in project.run("status").out
    assert project.run("push").code == 0
    assert answer(other, "status --remote")["sync"] == "behind"
    (other.root / "data/peak.csv").unlink()
    diverged = other.run("status --remote --json --exit-zero")
    assert diverged.json["sync"] == "diverged"
    assert (
        diverged.json["bundle"]["remote"] == answer(project, "status --remote")["bundle"]["remote"]
    )  # type: ignore[index]


def test_a_deleted_file_is_ahead_and_never_behind(project: Drifting) -> None:
    project.write("data/extra.csv", "1\n")
    assert project.run("add data/extra.csv").code == 0
    assert project.run("push").code == 0
    (project.root / "data/extra.csv").unlink()
    assert project.run("status --remote --json").json["sync"] == "ahead"


# --- list ------------------------------------------------------------------------------------


def test_list_by_label(project: Drifting) -> None:
    assert project.run("register-model models/sir.py --label role=main").code == 0
    found = answer(project, "list --model-label role=main")
    assert [item["id"] for item in found["models"]] == ["sir_sir"]  # type: ignore[attr-defined]
    assert answer(project, "list --model-label role=other")["models"] == []
    assert answer(project, "list --target-label a=b")["targets"] == []
    assert len(answer(project, "list")["targets"]) == 2  # type: ignore[arg-type]
    assert project.run("list --model-label role").code == 2


# --- push and pull ---------------------------------------------------------------------------


def test_what_push_and_pull_print(project: Drifting) -> None:
    first = project.run("push")
    assert first.code == 0, first
    lines = first.out.splitlines()
    assert lines[0].endswith(" sent, 0 layers reused (0 B)")
    assert "files changed: " in lines[0]
    assert any(line.endswith("data/cases.csv (19 B)") for line in lines), lines
    digest = next(line for line in lines if line.startswith("Digest: sha256:"))
    assert next(line for line in lines if line.startswith("Content: sha256:"))
    assert any(line.startswith("Pushed oci:") and ":latest" in line for line in lines)
    assert project.run("push").out.splitlines()[0] == "Everything up to date"
    planned = project.run("push --tag again --dry-run").out.splitlines()[0]
    assert "0 layers, 0 B to send" in planned
    again = project.run("push --tag again").out.splitlines()[0]
    assert "0 layers, 0 B sent, " in again
    (project.root / ".modelops-bundle/state.json").unlink()  # who pushed it is not known here
    planned = project.run("push --tag third --dry-run").out.splitlines()[0]
    assert "0 layers, 0 B to send" not in planned
    third = project.run("push --tag third").out.splitlines()[0]
    assert third == again, "what was sent is said, not what was thought to be"
    assert project.run("clone little ../theirs").code == 0
    theirs = Drifting(type(project.consoles)(project.root.parent / "theirs", project.consoles.home))
    project.write("data/cases.csv", "week,cases\n1,9\n")
    assert project.run("push").code == 0
    pulled = theirs.run("pull")
    assert "  v data/cases.csv" in pulled.out or "  ↓ data/cases.csv" in pulled.out
    assert "Pulled 1 file, deleted 0" in pulled.out
    assert digest not in pulled.out


def test_a_tag_of_its_own(project: Drifting) -> None:
    assert project.run("push --tag v1").code == 0
    names = project.run("manifest --tags-only").out.splitlines()
    assert names == ["v1"]
    assert project.run("pull").code == 1
    assert project.run("pull --tag v1").code == 0
    assert project.run("diff --tag v1").code == 0
    assert project.run("push --tag bad/tag").code == 1


def test_the_four_ways_to_pull(project: Drifting) -> None:
    assert project.run("push").code == 0
    assert project.run("clone little ../theirs").code == 0
    theirs = Drifting(type(project.consoles)(project.root.parent / "theirs", project.consoles.home))
    project.write("data/cases.csv", "theirs\n")
    project.write("data/peak.csv", "peak\n9\n")
    assert project.run("push").code == 0
    theirs.write("data/cases.csv", "mine\n")
    for line in ("pull", "pull --dry-run"):
        refused = theirs.run(line)
        assert refused.code == 3, refused
        assert "data/cases.csv" in refused.err
        assert theirs.text("data/peak.csv") != "peak\n9\n"
    assert theirs.run("pull --keep-local").code == 0
    assert (theirs.text("data/cases.csv"), theirs.text("data/peak.csv")) == ("mine\n", "peak\n9\n")
    (theirs.root / "data/peak.csv").unlink()
    assert theirs.run("pull --keep-local").code == 0
    assert not (theirs.root / "data/peak.csv").exists()
    assert theirs.run("pull --keep-local --restore-deleted").code == 0
    assert theirs.text("data/peak.csv") == "peak\n9\n"
    done = theirs.run("pull --overwrite --json")
    assert done.code == 0, done
    assert theirs.text("data/cases.csv") in {"theirs\n", "mine\n"}
    assert theirs.run("pull --overwrite --keep-local").code == 2


# --- what a repository holds -----------------------------------------------------------------


def test_manifest_lists_tags_or_files(project: Drifting) -> None:
    assert "has no tags yet" in project.run("manifest").out
    pushed = answer(project, "push")
    assert project.run("push --tag v1").code == 0
    value = answer(project, "manifest")
    rows = {row["tag"]: row for row in value["tags"]}  # type: ignore[attr-defined]
    assert set(rows) == {"latest", "v1"}
    assert rows["latest"]["digest"] == pushed["digest"]
    assert rows["latest"]["content"] == pushed["content"]
    assert rows["latest"]["files"] == pushed["total_files"]
    assert rows["latest"]["pushed_at"] is not None
    short, full = project.run("manifest").out, project.run("manifest --full").out
    assert str(pushed["digest"]) in full
    assert str(pushed["digest"]) not in short
    one = answer(project, "manifest -n 1")
    assert (one["shown"], one["total"]) == (1, 2)
    assert "1 of 2 shown" in project.run("manifest -n 1").out
    files = answer(project, "manifest little:latest")
    assert files["digest"] == pushed["digest"]
    assert "data/cases.csv" in [row["path"] for row in files["files"]]  # type: ignore[attr-defined]
    assert project.run("manifest --tags-only --full").code == 2
    assert project.run("manifest little:nope").code == 1


def test_log_shows_every_push(project: Drifting) -> None:
    assert project.run("log").code == 1
    first = answer(project, "push")["digest"]
    project.write("data/cases.csv", "week,cases\n1,9\n")
    second = answer(project, "push")["digest"]
    value = answer(project, "log")
    assert [row["digest"] for row in value["pushes"]] == [second, first]  # type: ignore[attr-defined]
    assert [row["previous"] for row in value["pushes"]] == [first, None]  # type: ignore[attr-defined]
    assert value["complete"] is True
    assert len(answer(project, "log -n 1")["pushes"]) == 1  # type: ignore[arg-type]
    assert str(second)[:19] in project.run("log little:latest").out
    assert project.run("log -n 0").code == 2


def test_ensure_needs_no_project(project: Drifting, tmp_path: Path) -> None:
    assert project.run("push").code == 0
    desk = Drifting(type(project.consoles)(tmp_path, project.consoles.home))
    dry = answer(desk, "ensure --ref little:latest --dest out --dry-run")
    assert dry["written"]
    assert not (tmp_path / "out").exists()
    done = answer(desk, "ensure --ref little:latest --dest out")
    assert done["written"] == dry["written"]
    assert (tmp_path / "out/data/cases.csv").read_text() == project.text("data/cases.csv")
    assert "already" in desk.run("ensure --ref little:latest --dest out").out
    (tmp_path / "out/stray.txt").write_text("x")
    assert answer(desk, "ensure --ref little:latest --dest out")["deleted"] == []
    mirrored = answer(desk, "ensure --ref little:latest --dest out --mirror")
    assert mirrored["deleted"] == ["stray.txt"]
    (tmp_path / "out/.git").mkdir()
    assert desk.run("ensure --ref little:latest --dest out --mirror").code == 3
    assert (tmp_path / "out/.git").is_dir()
    assert desk.run("ensure --ref little:latest").code == 2


def test_verify_deep_finds_other_bytes(project: Drifting) -> None:
    assert project.run("push").code == 0
    blobs = project.consoles.home / ".modelops/artifacts/little/blobs/sha256"
    index = json.loads((blobs.parents[1] / "index.json").read_text())
    manifest = index["manifests"][0]["digest"].removeprefix("sha256:")
    layer = json.loads((blobs / manifest).read_text())["layers"][0]["digest"]
    path = blobs / layer.removeprefix("sha256:")
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert project.run("verify").code == 0
    deep = project.run("verify --deep --json")
    assert deep.code == 1, deep
    check_against_schema(deep.json)
    assert [row["digest"] for row in deep.json["problems"]] == [layer]


# --- environments and cache ------------------------------------------------------------------


def test_the_environment_is_shown_and_pinned(project: Drifting) -> None:
    folder = project.consoles.home / ".modelops/environments"
    folder.mkdir(parents=True)
    (folder / "off.yaml").write_text(
        f"name: 'off'\nkind: local\nregistry: {{url: 'oci:{project.root.parent}/off'}}\n"
    )
    shown = answer(project, "env")
    assert (shown["name"], shown["pinned"], shown["chosen_by"]) == ("local", False, "default")
    pinned = answer(project, "env off")
    assert (pinned["name"], pinned["pinned"]) == ("off", True)
    assert (project.root / ".modelops-bundle/env").read_text() == "off\n"
    assert answer(project, "dev env")["name"] == "off"
    assert project.run("env nowhere").code == 1
    assert answer(project, "env")["name"] == "off"
    assert answer(project, "dev switch local")["name"] == "local"
    assert answer(project, "status")["bundle"]["environment"] == "local"  # type: ignore[index]
    assert project.run("env --env off").out.splitlines()[0] == "off"


def test_the_cache_is_cleared(project: Drifting, tmp_path: Path) -> None:
    assert project.run("push").code == 0
    assert project.run(f"ensure --ref little:latest --dest {tmp_path}/out").code == 0
    (tree,) = answer(project, "cache info")["trees"]  # type: ignore[misc]
    dry = answer(project, "cache clear --dry-run")
    assert dry["removed"] == [tree]
    assert answer(project, "cache info")["trees"] == [tree]
    cleared = answer(project, "cache clear")
    assert cleared["removed"] == [tree]
    assert int(str(cleared["bytes"])) >= tree["bytes"]  # type: ignore[index]
    assert answer(project, "cache info")["trees"] == []
    assert "0 bundles" in project.run("cache clear").out


# --- registering -----------------------------------------------------------------------------


def test_options_of_register_model(project: Drifting) -> None:
    project.write("models/two.py", "from models.sir import Sir\n\n\nclass A(Sir):\n    pass\n\n\n"
                  "class B(Sir):\n    pass\n")  # fmt: skip
    project.write("data/more.csv", "1\n")
    project.write("models/extra.py", "x = 1\n")
    dry = answer(project, "register-model models/two.py --dry-run")
    assert [row["id"] for row in dry["added"]] == ["two_a", "two_b"]  # type: ignore[attr-defined]
    assert "two_a" not in project.registry.models
    line = (
        "register-model models/two.py -c A --id mine -d data/more.csv --code models/extra.py "
        "--label role=second --no-auto-code --no-auto-data --code-mode files"
    )
    assert answer(project, line)["added"]
    entry = project.registry.models["mine"]
    assert [path.as_posix() for path in entry.data] == ["data/more.csv"]
    assert "models/extra.py" in [path.as_posix() for path in entry.code]
    assert "models/helpers.py" not in [path.as_posix() for path in entry.code]
    assert entry.labels == {"role": "second"}
    assert entry.registration.to_dict()["code_mode"] == "files"
    assert set(project.registry.models) == {"sir_sir", "mine"}, "only the class that was named"
    assert project.run("register-model models/two.py -c A --auto-code").code == 0
    code = [path.as_posix() for path in project.registry.models["mine"].code]
    assert "models/helpers.py" in code
    assert project.run("register-model models/two.py -c A --no-data").code == 0
    assert project.registry.models["mine"].data == []
    assert project.run("register-model models/two.py -e B").code == 0
    assert set(project.registry.models) == {"sir_sir", "mine"}
    assert project.run("register-model models/two.py --no-data -d data/more.csv").code == 2


def test_options_of_register_target(project: Drifting) -> None:
    project.write("data/more.csv", "1\n")
    line = (
        "register-target targets/counts.py -t peak --id top -d data/more.csv --output cases "
        "--label kind=peak"
    )
    assert project.run(line).code == 0
    entry = project.registry.targets["top"]
    paths = [path.as_posix() for path in entry.data]
    assert paths == ["data/more.csv", "data/peak.csv"], "that of the decorator stays"
    assert (entry.model_output, entry.labels) == ("cases", {"kind": "peak"})
    assert "weekly_cases" in project.registry.targets
    assert project.run("register-target targets/counts.py -e weekly_cases").code == 0
    assert "weekly_cases" not in project.registry.targets


def test_regen_all_is_refresh(project: Drifting) -> None:
    project.edit("models/helpers.py", ("* seed", "* seed + 1"))
    before = project.stored()
    dry = answer(project, "register-model --regen-all --dry-run")
    assert [row["id"] for row in dry["changed"]] == ["sir_sir"]  # type: ignore[attr-defined]
    assert project.stored() == before
    done = answer(project, "register-target targets/counts.py --regen-all --label a=b")
    assert [row["id"] for row in done["changed"]] == ["sir_sir"]  # type: ignore[attr-defined]
    assert "ignored" in str(done["warnings"])
    assert project.registry.targets["peak"].labels == {}
    assert project.run("register-model").code == 2


def test_unregister_and_target_sets(project: Drifting) -> None:
    assert project.run("unregister peak").code == 3
    assert project.run("target-set set some -t peak -w peak=4").code == 0
    assert project.registry.target_sets["some"].weights == {"peak": 4.0}
    assert project.run("target-set set every").code == 0
    assert project.registry.target_sets["every"].targets == ["peak", "weekly_cases"]
    for line in ("-t peak -w peak=much", "-t peak -w weekly_cases=1", "-t nobody"):
        assert project.run(f"target-set set some {line}").code in {1, 2}
    assert project.registry.target_sets["some"].weights == {"peak": 4.0}
    assert project.run("unregister peak --kind model").code == 1
    dry = project.run("unregister peak --kind target --force --dry-run")
    assert dry.code == 0, dry
    assert "peak" in project.registry.targets
    assert project.run("unregister peak --kind target --force").code == 0
    assert "peak" not in project.registry.targets
    assert "peak" not in project.registry.target_sets["every"].targets


def test_options_of_init(project: Drifting, tmp_path: Path) -> None:
    desk = Drifting(type(project.consoles)(tmp_path, project.consoles.home))
    made = answer(desk, "init one --name team/one --tag v1 --env local")
    assert (made["repository"], made["tag"], made["environment"]) == ("team/one", "v1", "local")
    assert (tmp_path / "one/.modelops-bundle/env").read_text() == "local\n"
    assert (tmp_path / "one/pyproject.toml").exists()
    assert desk.run("init two --bare").code == 0
    assert not (tmp_path / "two/pyproject.toml").exists()
    assert desk.run("init two").code == 1
    (tmp_path / "two/.modelops-bundle/tracked.txt").unlink()
    assert desk.run("init two --repair").code == 0
    assert (tmp_path / "two/.modelops-bundle/tracked.txt").exists()
    assert desk.run("init three --env nowhere").code == 1
    assert not (tmp_path / "three").exists()


def test_the_ways_to_push(project: Drifting) -> None:
    dry = answer(project, "push --dry-run")
    assert (dry["pushed"], dry["digest"]) == (False, None)
    assert not (project.consoles.home / ".modelops/artifacts").exists()
    assert project.run("push").code == 0
    project.edit("targets/counts.py", ("weight=2.0", "weight=3.0"))
    assert project.run("push").code == 3
    assert project.run("push --dry-run").code == 3
    assert project.run("push --allow-stale --tag stale").code == 0
    assert project.registry.targets["peak"].weight == 2.0
    assert project.run("push --refresh --dry-run").code == 2
    assert project.run("push --refresh").code == 0
    assert project.registry.targets["peak"].weight == 3.0
    assert project.run("clone little ../theirs").code == 0
    theirs = Drifting(type(project.consoles)(project.root.parent / "theirs", project.consoles.home))
    theirs.write("data/cases.csv", "theirs\n")
    assert theirs.run("push").code == 0
    project.write("data/cases.csv", "mine\n")
    refused = project.run("push")
    assert refused.code == 3
    assert "data/cases.csv" in refused.err
    assert project.run("push --force").code == 0


def test_the_cache_keeps_what_is_young_and_small(project: Drifting, tmp_path: Path) -> None:
    assert project.run("push").code == 0
    assert project.run(f"ensure --ref little:latest --dest {tmp_path}/out").code == 0
    assert answer(project, "cache gc")["removed"] == []
    dry = answer(project, "cache gc --max-size 0 --dry-run")
    assert len(dry["removed"]) == 1  # type: ignore[arg-type]
    assert answer(project, "cache gc --older-than 0 --max-size 1")["removed"] == dry["removed"]
    assert answer(project, "cache info")["trees"] == []
