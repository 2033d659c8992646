"""What users do to their code, and what the bundle commands answer: one test for each cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from modelops_bundle.registry import resolve_entry
from support.consoles import check_against_schema
from support.drift import (
    MODEL_FILE,
    TARGET_FILE,
    Change,
    Drifting,
    copy_drifting,
    make_drifting,
)

MODEL, TARGET = "sir_sir", "weekly_cases"
OLD_RETURN = 'return {"observed": observed, "kind": "weekly", "scale": 1.0, "offset": 0}'
NEW_RETURN = 'return {"observed": observed, "kind": "weekly", "scale": 2.5, "offset": 0}'
DECORATOR = '@calibration_target(model_output="cases", data={"observed": "data/cases.csv"})\n'
RENAME_MODEL = ("class Sir(", "class Epidemic(")
RENAME_TARGET = ("def weekly_cases(", "def incidence(")
EDIT_MODEL = ("return dict(params)", "return {**params}")
EDIT_TARGET = (OLD_RETURN, NEW_RETURN)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Drifting:
    return make_drifting(tmp_path_factory.mktemp("template"))


@pytest.fixture
def project(template: Drifting, tmp_path: Path) -> Drifting:
    return copy_drifting(template, tmp_path)


def file_of(kind: str) -> str:
    return MODEL_FILE if kind == "model" else TARGET_FILE


def id_of(kind: str) -> str:
    return MODEL if kind == "model" else TARGET


def follow(project: Drifting, how: str, kind: str) -> dict[str, list[dict[str, object]]]:
    """Refresh, or register the file again; the answer fits its schema and is final."""
    line = "refresh" if how == "refresh" else f"register-{kind} {file_of(kind)}"
    done = project.run(f"{line} --json")
    assert done.code == 0, done
    answer = done.json
    check_against_schema(answer)
    assert answer["written"] is True
    settled(project)
    return answer


def settled(project: Drifting) -> None:
    """Everything is in order, a push goes through, and refreshing again changes no byte."""
    code, answer = project.status()
    assert code == 0, answer["findings"]
    assert {row["state"] for row in (*answer["models"], *answer["targets"])} <= {"ok"}
    before = project.stored()
    again = project.run("refresh")
    assert again.code == 0, again
    assert "Nothing to do" in again.out
    assert project.stored() == before
    pushed = project.run("push")
    assert pushed.code == 0, pushed


def refused(project: Drifting, kind: str, state: str, *, hint: str = "mops bundle refresh") -> None:
    """Status and push stop with exit 3, name the entry, and say what cures it."""
    entry_id, before = id_of(kind), project.stored()
    code, answer = project.status()
    row = next(row for row in answer[f"{kind}s"] if row["id"] == entry_id)
    assert (code, row["state"], row["structural"]) == (3, state, True)
    shown = project.run("status")
    assert shown.code == 3
    assert state in shown.out
    assert hint in shown.err
    assert "pull" not in shown.out + shown.err
    pushed = project.run("push")
    assert pushed.code == 3
    assert hint in pushed.err
    assert "pull" not in pushed.err
    assert project.stored() == before
    assert not (project.consoles.home / ".modelops/artifacts/little/index.json").exists()


def only(answer: dict[str, list[dict[str, object]]], action: str) -> dict[str, object]:
    groups = ("added", "changed", "renamed", "moved", "removed")
    # Other entries of an edited file record its bytes anew, and nothing else.
    found = {
        name: rows for name in groups
        if (rows := [row for row in answer[name] if row["reasons"] != ["file digest"]])
    }  # fmt: skip
    assert list(found) == [action], found
    assert len(found[action]) == 1
    return found[action][0]


# --- renamed, body unchanged -----------------------------------------------------------------


@pytest.mark.parametrize("how", ["refresh", "register"])
@pytest.mark.parametrize(
    ("kind", "pair", "new_id"),
    [("model", RENAME_MODEL, "sir_epidemic"), ("target", RENAME_TARGET, "incidence")],
)
def test_a_rename_is_followed(
    project: Drifting, kind: str, pair: tuple[str, str], new_id: str, how: str
) -> None:
    project.edit(file_of(kind), pair)
    refused(project, kind, "renamed")
    row = only(follow(project, how, kind), "renamed")
    assert (row["kind"], row["from"], row["to"]) == (kind, id_of(kind), new_id)
    assert (row["certain"], row["similarity"]) == (True, 1.0)
    registry = project.registry
    entry, old = resolve_entry(registry, kind, id_of(kind))
    assert (entry.symbol, old) == (pair[1].split()[1].rstrip("("), id_of(kind))
    if kind == "target":
        group = registry.target_sets["all"]
        assert (group.targets, group.weights) == (["incidence", "peak"], {"incidence": 3.0})
    else:
        assert registry.models[new_id].labels == {"role": "main"}


# --- renamed and edited ----------------------------------------------------------------------

RENAMED_AND_EDITED = [
    ("model", [RENAME_MODEL, EDIT_MODEL], "Epidemic", "sir_epidemic"),
    ("target", [RENAME_TARGET, EDIT_TARGET], "incidence", "incidence"),
]


@pytest.mark.parametrize(("kind", "pairs", "symbol", "new_id"), RENAMED_AND_EDITED)
def test_a_rename_with_an_edit_is_asked_about(
    project: Drifting, kind: str, pairs: list[tuple[str, str]], symbol: str, new_id: str
) -> None:
    project.edit(file_of(kind), *pairs)
    command = f"mops bundle refresh --rename {id_of(kind)}={symbol}"
    refused(project, kind, "renamed?", hint=command)
    before = project.stored()
    for line in ("refresh", "refresh --json", "refresh --dry-run", "refresh --check",
                 f"register-{kind} {file_of(kind)}"):  # fmt: skip
        done = project.run(line)
        assert done.code == 3, done
        assert command in done.err + done.out
        assert project.stored() == before
    assert project.run(command.removeprefix("mops bundle ")).code == 0
    settled(project)
    assert resolve_entry(project.registry, kind, id_of(kind))[0].symbol == symbol
    if kind == "target":
        assert project.registry.target_sets["all"].weights == {new_id: 3.0}


@pytest.mark.parametrize(("kind", "pairs", "symbol", "new_id"), RENAMED_AND_EDITED)
def test_likely_renames_are_accepted_or_refused_at_once(
    project: Drifting, kind: str, pairs: list[tuple[str, str]], symbol: str, new_id: str
) -> None:
    project.edit(file_of(kind), *pairs)
    before = project.stored()
    accepted = project.run("refresh --accept-renames --dry-run --json")
    assert (accepted.code, accepted.json["written"]) == (0, False)
    row = only(accepted.json, "renamed")
    assert (row["id"], row["from"], row["certain"]) == (new_id, id_of(kind), False)
    assert 0.5 <= row["similarity"] < 1.0
    assert project.stored() == before
    dropped = project.run("refresh --no-renames --add-new --json")
    assert dropped.code == 0, dropped
    assert [row["id"] for row in dropped.json["removed"]] == [id_of(kind)]
    assert [row["id"] for row in dropped.json["added"]] == [new_id]
    settled(project)
    if kind == "target":
        assert project.registry.target_sets["all"].targets == ["peak"]


@pytest.mark.parametrize("typed", ["y\n", "n\n"])
def test_on_a_terminal_the_rename_is_asked(project: Drifting, typed: str) -> None:
    project.edit(TARGET_FILE, RENAME_TARGET, EDIT_TARGET)
    code, screen = project.consoles.on_terminal("mops bundle refresh", typed=typed)
    assert "weekly_cases become incidence" in screen
    registered = "incidence" in project.registry.targets
    assert (code, registered) == ((0, True) if typed == "y\n" else (3, False))


@pytest.mark.parametrize(("kind", "pairs", "symbol", "new_id"), RENAMED_AND_EDITED)
def test_a_likely_rename_of_what_nothing_hangs_on_is_removed_with_a_hint(
    project: Drifting, kind: str, pairs: list[tuple[str, str]], symbol: str, new_id: str
) -> None:
    path = project.root / ".modelops-bundle/registry.yaml"
    registry = project.registry
    registry.models[MODEL].registration.labels = {}
    registry.models[MODEL].labels = {}
    registry.target_sets.clear()
    registry.save(path)
    project.edit(file_of(kind), *pairs)
    refused(project, kind, "renamed?", hint=f"mops bundle refresh --rename {id_of(kind)}={symbol}")
    done = project.run("refresh")
    assert done.code == 0, done
    assert f"- removed  {kind}" in done.out
    assert f"may have become {symbol}" in done.out
    assert f"mops bundle register-{kind} {file_of(kind)}" in done.out
    settled(project)


# --- deleted ---------------------------------------------------------------------------------


def without_definition(project: Drifting, kind: str) -> None:
    text = project.text(file_of(kind))
    if kind == "model":
        project.write(MODEL_FILE, text[: text.index("class Sir(")])
    else:
        start, end = text.index(DECORATOR), text.rindex("@calibration_target")
        project.write(TARGET_FILE, text[:start] + text[end:])


@pytest.mark.parametrize("how", ["refresh", "register"])
@pytest.mark.parametrize("kind", ["model", "target"])
def test_a_deleted_definition_leaves_the_registry(project: Drifting, kind: str, how: str) -> None:
    without_definition(project, kind)
    refused(project, kind, "missing")
    answer = follow(project, how, kind)
    row = only(answer, "removed")
    assert row["id"] == id_of(kind)
    registry = project.registry
    if kind == "target":
        assert "left set all" in row["reasons"]
        assert (registry.target_sets["all"].targets, registry.target_sets["all"].weights) == (
            ["peak"], {},
        )  # fmt: skip
        assert list(registry.targets) == ["peak"]
    else:
        assert registry.models == {}


@pytest.mark.parametrize("kind", ["model", "target"])
def test_a_deleted_file_is_cured_by_refresh(project: Drifting, kind: str) -> None:
    project.delete(file_of(kind))
    refused(project, kind, "missing")
    again = project.run(f"register-{kind} {file_of(kind)}")
    assert again.code == 1
    assert "mops bundle refresh" in again.err
    shown = project.run("refresh")
    assert shown.code == 0, shown
    assert f"- removed  {kind}" in shown.out
    assert f"no longer tracking {file_of(kind)}" in shown.out
    if kind == "target":
        assert "left set all" in shown.out
    assert file_of(kind) not in project.text(".modelops-bundle/tracked.txt")
    settled(project)


# --- moved -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "new_path", "entrypoint"),
    [
        ("model", "models/core/sir.py", "models.core.sir:Sir"),
        ("target", "observed/weekly.py", "observed.weekly:weekly_cases"),
    ],
)
def test_a_moved_file_is_followed(
    project: Drifting, kind: str, new_path: str, entrypoint: str
) -> None:
    project.move(file_of(kind), new_path)
    refused(project, kind, "moved")
    answer = project.run("refresh --json").json
    assert {row["id"] for row in answer["moved"]} >= {id_of(kind)}
    assert answer["removed"] == answer["added"] == []
    assert file_of(kind) in answer["untracked"]
    assert new_path in answer["tracked"]
    settled(project)
    registry = project.registry
    entry = resolve_entry(registry, kind, id_of(kind))[0]
    assert (entry.path.as_posix(), entry.entrypoint) == (new_path, entrypoint)
    assert registry.target_sets["all"].weights == {TARGET: 3.0}
    # The whole file was selected before, so what is added to the new one is seen as new.
    assert new_path in registry.sources
    assert file_of(kind) not in registry.sources


# --- drifted ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drift:
    kind: str
    edits: tuple[tuple[str, tuple[str, str]], ...]
    finding: str
    change: str


DRIFTS = {
    "model_output": Drift(
        "target",
        (
            (TARGET_FILE, (DECORATOR, DECORATOR.replace('"cases"', '"deaths"'))),
            (MODEL_FILE, ('    @model_output("cases")',
                          ('    @model_output("deaths")\n    def deaths(self, raw, seed):\n'
                          '        return raw\n\n    @model_output("cases")'))),
        ),
        "model_output: recorded cases, code says deaths",
        "model_output cases -> deaths",
    ),
    "data": Drift(
        "target",
        ((TARGET_FILE, (DECORATOR, DECORATOR.replace("cases.csv", "peak.csv"))),),
        "data: recorded data/cases.csv, code says data/peak.csv",
        "data/peak.csv (data)",
    ),
    "weight": Drift(
        "target",
        ((TARGET_FILE, (DECORATOR, DECORATOR.replace(")\n", ", weight=4.0)\n"))),),
        "weight: recorded 1, code says 4",
        "weight 1 -> 4",
    ),
    "outputs": Drift(
        "model",
        ((MODEL_FILE, ('@model_output("cases")', '@model_output("cases")\n    @model_output("x")')),
         (MODEL_FILE, ('    @model_output("x")\n', "")),
         (MODEL_FILE, ("        return raw\n", ("        return raw\n\n    @model_output()\n"
                       "    def deaths(self, raw, seed):\n        return raw\n")))),
        "outputs: recorded cases, code says cases, deaths",
        "outputs cases -> cases,deaths",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", ["refresh", "register"])
@pytest.mark.parametrize("name", DRIFTS)
def test_the_record_follows_the_code(project: Drifting, name: str, how: str) -> None:
    drift = DRIFTS[name]
    for path, pair in drift.edits:
        project.edit(path, pair)
    refused(project, drift.kind, "drifted")
    assert drift.finding in project.run("status").err
    if how == "register":
        for kind in {"model", drift.kind}:
            assert project.run(f"register-{kind} {file_of(kind)}").code == 0
        settled(project)
        return
    answer = follow(project, how, drift.kind)
    row = next(row for row in answer["changed"] if row["id"] == id_of(drift.kind))
    assert drift.change in row["reasons"]


def test_targets_of_a_vanished_output_are_named(project: Drifting) -> None:
    project.edit(MODEL_FILE, ('@model_output("cases")', '@model_output("incidence")'))
    refused(project, "model", "drifted")
    done = project.run("refresh")
    shown = project.run("status")
    for answer in (done, shown):
        for target in ("weekly_cases", "peak"):
            assert f"Target {target}: no registered model has the output 'cases'" in answer.err
        assert "incidence" in answer.err
    assert shown.code == 3
    assert project.registry.models[MODEL].outputs == ["incidence"]


# --- orphaned --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["refresh", "register"])
@pytest.mark.parametrize(
    ("kind", "pair"),
    [("model", ("class Sir(BaseModel)", "class Sir(object)")), ("target", (DECORATOR, ""))],
)
def test_what_is_no_model_or_target_any_more_leaves(
    project: Drifting, kind: str, pair: tuple[str, str], how: str
) -> None:
    project.edit(file_of(kind), pair)
    refused(project, kind, "orphaned")
    assert only(follow(project, how, kind), "removed")["id"] == id_of(kind)


# --- new -------------------------------------------------------------------------------------

ADDED_TARGET = (
    '\n\n@calibration_target(model_output="cases")\ndef deaths(data_paths):\n    return 7\n'
)
ADDED_MODEL = "\n\nclass Second(Sir):\n    pass\n"


@pytest.mark.parametrize(
    ("kind", "text", "new_id"),
    [("model", ADDED_MODEL, "sir_second"), ("target", ADDED_TARGET, "deaths")],
)
def test_an_addition_is_told_and_registered_when_asked(
    project: Drifting, kind: str, text: str, new_id: str
) -> None:
    project.run("push")
    project.write(file_of(kind), project.text(file_of(kind)) + text)
    code, answer = project.status()
    assert code == 0
    assert [(row["kind"], row["id"]) for row in answer["new"]] == [(kind, new_id)]
    pushed = project.run("push")
    assert pushed.code == 0
    assert new_id in pushed.err
    listed = project.run("refresh --json")
    assert [row["id"] for row in listed.json["new"]] == [new_id]
    assert project.run("refresh --check").code == 0
    assert project.run("refresh --check --add-new").code == 3
    done = project.run("refresh --add-new --json")
    assert only(done.json, "added")["id"] == new_id
    settled(project)
    section = project.registry.models if kind == "model" else project.registry.targets
    assert new_id in section


# --- content ---------------------------------------------------------------------------------


def edit_own(kind: str) -> Change:
    pair = EDIT_MODEL if kind == "model" else EDIT_TARGET
    return lambda project: project.edit(file_of(kind), pair)


def edit_helper(project: Drifting) -> None:
    project.edit("models/helpers.py", ("* seed", "+ seed"))


def edit_data(project: Drifting) -> None:
    project.edit("data/cases.csv", ("2,8", "2,9"))


def edit_lock(project: Drifting) -> None:
    project.edit("uv.lock", ("version = 1", "version = 1\nrevision = 2"))


CONTENT = [
    ("model", edit_own("model"), "changed", "own code"),
    ("target", edit_own("target"), "changed", "own code"),
    ("model", edit_helper, "stale", "models/helpers.py (code)"),
    ("target", edit_data, "stale", "data/cases.csv (data)"),
    ("model", edit_lock, "stale", "environment"),
    ("target", edit_lock, "stale", "environment"),
]


@pytest.mark.parametrize("how", ["refresh", "register", "push"])
@pytest.mark.parametrize(("kind", "change", "state", "reason"), CONTENT)
def test_new_content_goes_on(
    project: Drifting, kind: str, change: Change, state: str, reason: str, how: str
) -> None:
    before = resolve_entry(project.registry, kind, id_of(kind))[0].digest
    change(project)
    code, answer = project.status()
    row = next(row for row in answer[f"{kind}s"] if row["id"] == id_of(kind))
    assert (code, row["state"], row["structural"]) == (0, state, False)
    assert reason in row["note"]
    explained = project.run(f"status --explain {id_of(kind)}")
    assert explained.code == 0, explained
    assert reason.partition(" (")[0] in explained.out
    if how == "push":
        assert project.run("push").code == 0
        settled(project)
    elif how == "refresh":
        answer = follow(project, "refresh", kind)
        changed = next(row for row in answer["changed"] if row["id"] == id_of(kind))
        assert reason in changed["reasons"]
    else:
        assert project.run(f"register-{kind} {file_of(kind)}").code == 0
        assert project.entry(kind, id_of(kind))["state"] == "ok"
    assert resolve_entry(project.registry, kind, id_of(kind))[0].digest != before


def test_how_it_is_written_does_not_matter(project: Drifting) -> None:
    before = {key: item.digest for key, item in project.registry.targets.items()}
    before |= {key: item.digest for key, item in project.registry.models.items()}
    suite = "from modelops_calabaria import BaseModel, ParameterSpace, ParameterSpec, model_output"
    helper = "from models.helpers import rate"
    reordered = suite.replace("BaseModel, ", "").replace("model_output", "model_output, BaseModel")
    project.edit(
        MODEL_FILE,
        (f"{suite}\n{helper}\n", f"{helper}\n{reordered}\n"),
        ("return dict(params)", "# says what it did\n        return dict(\n            params)"),
    )  # fmt: skip
    project.edit(TARGET_FILE, ('"scale": 1.0', "'scale':   1.0"))
    code, answer = project.status()
    assert code == 0
    assert {row["state"] for row in (*answer["models"], *answer["targets"])} == {"ok"}
    assert project.run("push").code == 0
    project.run("refresh")
    after = {key: item.digest for key, item in project.registry.targets.items()}
    after |= {key: item.digest for key, item in project.registry.models.items()}
    assert after == before
    settled(project)


# --- broken ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["model", "target"])
def test_a_file_that_does_not_parse_is_left_alone(project: Drifting, kind: str) -> None:
    good = project.text(file_of(kind))
    project.write(file_of(kind), good + "\ndef broken(:\n")
    line = good.count("\n") + 2
    other, change = ("target", edit_own("target")) if kind == "model" else (
        "model", edit_own("model"))  # fmt: skip
    change(project)
    refused(project, kind, "broken", hint="correct the file")
    assert f"cannot parse {file_of(kind)}:{line}" in project.run("status").err
    assert project.run("push --allow-stale").code == 3
    old = resolve_entry(project.registry, kind, id_of(kind))[0].to_dict()
    done = project.run("refresh --json")
    assert done.code == 3
    assert id_of(other) in [row["id"] for row in done.json["changed"]]
    assert id_of(kind) not in [row["id"] for row in done.json["changed"]]
    assert [row["code"] for row in done.json["findings"] if row["severity"] == "error"]
    assert resolve_entry(project.registry, kind, id_of(kind))[0].to_dict() == old
    assert project.run("refresh --check").code == 3
    assert project.registry.target_sets["all"].weights == {TARGET: 3.0}
    project.write(file_of(kind), good)
    settled(project)


# --- options ---------------------------------------------------------------------------------


def test_check_and_dry_run_write_nothing(project: Drifting) -> None:
    project.edit(TARGET_FILE, RENAME_TARGET)
    before = project.stored()
    assert project.run("refresh --check").code == 3
    tried = project.run("refresh --dry-run --json")
    assert (tried.code, tried.json["written"]) == (0, False)
    assert only(tried.json, "renamed")["id"] == "incidence"
    assert project.stored() == before


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("refresh --rename nobody=x", 1, "no entry nobody"),
        ("refresh --rename weekly", 2, "OLD=NEW"),
        ("refresh --accept-renames --no-renames", 2, "exclude each other"),
        ("status --explain nobody", 1, "nobody"),
    ],
)
def test_wrong_options_are_refused(project: Drifting, line: str, code: int, text: str) -> None:
    before = project.stored()
    done = project.run(line)
    assert done.code == code
    assert text in done.err
    assert project.stored() == before


def test_data_of_a_model_and_a_helper_of_a_target_count_too(project: Drifting) -> None:
    project.write("targets/reading.py", "def scale():\n    return 1\n")
    project.edit(
        TARGET_FILE,
        ("\n\ndef read(", "\nfrom targets.reading import scale\n\n\ndef read("),
        ("def read(path):\n    return path", "def read(path):\n    scale()\n    return path"),
    )
    assert project.run(f"register-model {MODEL_FILE} --data data/peak.csv").code == 0
    assert project.run(f"register-target {TARGET_FILE}").code == 0
    settled(project)
    project.edit("data/peak.csv", ("8", "9"))
    project.edit("targets/reading.py", ("return 1", "return 2"))
    notes = {
        (kind, id_of(kind)): project.entry(kind, id_of(kind))["note"]
        for kind in ("model", "target")
    }
    assert "data/peak.csv (data)" in notes["model", MODEL]
    assert "targets/reading.py (code)" in notes["target", TARGET]
    code, answer = project.status()
    assert code == 0
    assert {row["state"] for row in (*answer["models"], *answer["targets"])} == {"stale"}
    follow(project, "refresh", "model")


@pytest.mark.parametrize("kind", ["model", "target"])
def test_registering_a_moved_file_names_the_command_that_follows_it(
    project: Drifting, kind: str
) -> None:
    new_path = f"{kind}s/moved_{kind}.py"
    project.move(file_of(kind), new_path)
    before = project.stored()
    done = project.run(f"register-{kind} {new_path}")
    assert done.code == 3, done
    assert "mops bundle refresh" in done.err
    assert project.stored() == before
    assert project.run("refresh").code == 0
    settled(project)
    entry = resolve_entry(project.registry, kind, id_of(kind))[0]
    assert entry.path.as_posix() == new_path
    assert project.registry.target_sets["all"].weights == {TARGET: 3.0}
