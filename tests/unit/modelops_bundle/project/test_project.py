from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from modelops_bundle.project.config import read_config, repository_from
from modelops_bundle.project.guard import check_content, check_name, find_secrets
from modelops_bundle.project.ignoring import IgnoreRules
from modelops_bundle.project.project import find_project, hides_registry_from_git, init_project
from modelops_bundle.project.tracking import (
    TRACKED_FILE,
    read_tracked,
    refuse_untrackable,
    relative_path,
    write_tracked,
)
from modelops_bundle.registering import register
from modelops_bundle.registry import load_registry
from modelops_contracts.errors import Conflict, InvalidInput, NotFound
from support.projects import write_files

# --- making and finding ----------------------------------------------------------------------


def test_init_makes_a_complete_project(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# x\n")
    made = init_project(tmp_path, name="seir")
    assert made.repository == "seir"
    assert set(read_tracked(tmp_path)) == {
        ".modelops-bundle/registry.yaml", ".modelopsignore", "README.md", "pyproject.toml",
    }  # fmt: skip
    assert all((tmp_path / path).is_file() for path in made.created)
    assert load_registry(tmp_path).models == {}
    assert json.dumps(made.to_json())


def test_init_is_all_or_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a repository name") as caught:
        init_project(tmp_path / "new", name="Bad Name")
    assert caught.value.hint == "mops bundle init --name bad-name"
    assert not (tmp_path / "new").exists()
    with pytest.raises(InvalidInput, match="tag"):
        init_project(tmp_path / "new", tag="no spaces")
    init_project(tmp_path / "p")
    before = sorted(path.name for path in (tmp_path / "p").rglob("*"))
    with pytest.raises(Conflict, match="already is a project"):
        init_project(tmp_path / "p")
    assert sorted(path.name for path in (tmp_path / "p").rglob("*")) == before


@pytest.mark.parametrize("broken", ["write_tracked", "write_atomically"])
def test_a_failure_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    (tmp_path / "old").mkdir()
    (tmp_path / "old/mine.txt").write_text("x")
    monkeypatch.setattr(f"modelops_bundle.project.project.{broken}", fail)
    for name in ("new", "old"):
        with pytest.raises(OSError, match="disk full"):
            init_project(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine.txt", "old"]


def test_bare_init_adds_no_templates(tmp_path: Path) -> None:
    init_project(tmp_path, bare=True)
    assert [path.name for path in tmp_path.iterdir()] == [".modelops-bundle"]


def test_a_pyproject_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("# mine\n")
    init_project(tmp_path)
    assert (tmp_path / "pyproject.toml").read_text() == "# mine\n"


def test_the_nearest_project_is_found(tmp_path: Path) -> None:
    init_project(tmp_path / "a", name="outer")
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert find_project(tmp_path / "a/b/c").repository == "outer"
    init_project(tmp_path / "a/b", name="inner")
    assert find_project(tmp_path / "a/b/c").repository == "inner"
    with pytest.raises(NotFound) as caught:
        find_project(tmp_path)
    assert caught.value.hint == "mops bundle init"


def test_the_environment_name_is_always_text(tmp_path: Path) -> None:
    init_project(tmp_path, env="off")
    assert find_project(tmp_path).environment_name == "off"


def test_repair_adds_what_is_missing_and_unhides_the_registry(tmp_path: Path) -> None:
    init_project(tmp_path, name="x")
    (tmp_path / ".modelops-bundle/registry.yaml").unlink()
    (tmp_path / ".gitignore").write_text("a/\n.modelops-bundle/\nb/\n")
    assert hides_registry_from_git(tmp_path)
    made = init_project(tmp_path, repair=True)
    assert set(made.created) == {".modelops-bundle/registry.yaml", ".gitignore"}
    assert (tmp_path / ".gitignore").read_text() == "a/\nb/\n"
    assert init_project(tmp_path, repair=True).created == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("My Model", "my-model"), ("ÄÖ", "project"), ("a__b", "a-b"), ("--x--", "x")],
)
def test_repository_names_from_anything(text: str, expected: str) -> None:
    assert repository_from(text) == expected


def test_config_mistakes_are_listed_with_paths(tmp_path: Path) -> None:
    data = {"repositry": "x", "use_gitignore": "yes", "storage": {"mode": "external"},
            "transfer": {"parallel": 99}}  # fmt: skip
    with pytest.raises(InvalidInput) as caught:
        read_config(data, tmp_path)
    found = {item.path: item.message for item in caught.value.details}
    assert set(found) == {
        "$.repositry", "$.use_gitignore", "$.storage.mode", "$.transfer.parallel",
    }  # fmt: skip
    assert "did you mean repository?" in found["$.repositry"]


def test_settings_of_the_existing_suite_are_read(tmp_path: Path) -> None:
    config = read_config(
        {"registry_ref": "localhost:5555/team/seir", "default_tag": "dev",
         "storage": {"mode": "auto", "threshold_bytes": 5}, "cache_dir": "/x",
         "auto_code": {"code_roots": ["lib"], "ignore": ["*.tmp"]}},
        tmp_path,
    )  # fmt: skip
    assert (config.default_tag, config.import_roots, config.ignore) == ("dev", ("lib",), ("*.tmp",))
    assert config.use_gitignore is False


# --- tracked files ---------------------------------------------------------------------------


def test_odd_names_survive_the_tracked_list(tmp_path: Path) -> None:
    names = [" leading", "trailing ", "new\nline", '"quoted', "ö/plain.csv", "a b.csv"]
    write_tracked(tmp_path, names)
    assert read_tracked(tmp_path) == tuple(sorted(names))
    text = (tmp_path / TRACKED_FILE).read_text()
    write_tracked(tmp_path, reversed(names))
    assert (tmp_path / TRACKED_FILE).read_text() == text


def test_paths_are_relative_to_the_project(tmp_path: Path) -> None:
    root = tmp_path / "p"
    (root / "sub").mkdir(parents=True)
    assert relative_path(root, "x.py", cwd=root / "sub") == "sub/x.py"
    assert relative_path(root, "../x.py", cwd=root / "sub") == "x.py"
    assert relative_path(root, root / "x.py") == "x.py"
    (tmp_path / "link").symlink_to(root)
    assert relative_path(root, tmp_path / "link" / "x.py") == "x.py"
    with pytest.raises(InvalidInput) as caught:
        relative_path(root, "../../x.py", cwd=root / "sub")
    assert caught.value.code == "path_outside"


@pytest.mark.parametrize(
    ("name", "target"), [("out.csv", "../outside.csv"), ("abs.csv", "/etc/hosts"), ("d", "data")]
)
def test_links_that_leave_or_name_directories_are_refused(
    tmp_path: Path, name: str, target: str
) -> None:
    (tmp_path / "p/data").mkdir(parents=True)
    (tmp_path / "outside.csv").write_text("x")
    (tmp_path / "p" / name).symlink_to(target)
    with pytest.raises(InvalidInput, match=name):
        refuse_untrackable(tmp_path / "p", name)


@pytest.mark.parametrize("path", [".git/config", ".modelops-bundle/config.yaml"])
def test_some_paths_can_never_be_tracked(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInput):
        refuse_untrackable(tmp_path, path)


# --- ignore rules ----------------------------------------------------------------------------


def test_ignore_rules_later_wins(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            ".gitignore": "*.csv\n/local/\n",
            "deep/.gitignore": "secret.txt\n",
            ".modelopsignore": "!keep.csv\nnotes/\n",
            "a.csv": "", "keep.csv": "", "x.py": "", "local/y.py": "", "notes/n.py": "",
            "deep/secret.txt": "", "deep/open.txt": "", "__pycache__/c.pyc": "",
            ".modelops-bundle/registry.yaml": "", "secret.txt": "",
        },
    )  # fmt: skip
    with_git = set(IgnoreRules(tmp_path, use_gitignore=True).walk())
    assert with_git == {
        ".gitignore", ".modelopsignore", "deep/.gitignore", "deep/open.txt", "keep.csv",
        "secret.txt", "x.py",
    }  # fmt: skip
    without = set(IgnoreRules(tmp_path).walk())
    assert without - with_git == {"a.csv", "deep/secret.txt", "local/y.py"}


# --- secrets ---------------------------------------------------------------------------------

SECRETS = {
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "aws-key-id": "AKIA" + "A" * 16,
    "aws-secret": "aws_secret_access_key = " + "a" * 40,
    "github-token": "ghp_" + "x" * 36,
    "gitlab-token": "glpat-" + "x" * 20,
    "slack-token": "xoxb-" + "1" * 12,
    "signed-url": "https://a.example/b?sv=1&sig=" + "A" * 30,
    "azure-account-key": "AccountKey=" + "A" * 40,
    "url-password": "postgres://user:" + "hunter2@db.example/x",
}


@pytest.mark.parametrize("rule", sorted(SECRETS))
def test_secret_contents_are_recognised(rule: str) -> None:
    assert check_content(f"first\n{SECRETS[rule]}\n".encode()) == [(rule, 2)]


@pytest.mark.parametrize(
    "text", ["https://example.org/a:b@c", "user@example.org", "postgres://u:${PASSWORD}@h/x", "x,y"]
)
def test_ordinary_text_is_no_secret(text: str) -> None:
    assert check_content(text.encode()) == []


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("id_rsa", True), ("a/b/server.PEM", True), (".env", True), (".env.local", True),
        ("x/.aws/credentials", True), ("credentials", False), ("data/key.csv", False),
        ("models/env.py", False), (".azure/token", True),
    ],
)  # fmt: skip
def test_secret_names_are_recognised(path: str, secret: bool) -> None:
    assert (check_name(path) is not None) is secret


def test_exceptions_name_path_and_rule(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": SECRETS["github-token"], "b.txt": SECRETS["github-token"]})
    found = find_secrets(tmp_path, ["a.txt", "b.txt"], {("a.txt", "github-token")})
    assert [item.path for item in found] == ["b.txt"]


# --- many at once ----------------------------------------------------------------------------


def _register(job: tuple[str, int]) -> None:
    root, number = job
    register(find_project(Path(root)), "target", f"targets/t{number}.py", cwd=Path(root))


def test_registering_at_once_loses_nothing(tmp_path: Path) -> None:
    target = "from modelops_calabaria import calibration_target as c\n@c(model_output='x')\n"
    files = {f"targets/t{n}.py": f"{target}def f{n}(): ...\n" for n in range(8)}
    write_files(tmp_path, files)
    init_project(tmp_path)
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        pool.map(_register, [(str(tmp_path), number) for number in range(8)])
    assert set(load_registry(tmp_path).targets) == {f"f{number}" for number in range(8)}
    assert set(files) <= set(read_tracked(tmp_path))


def test_what_killed_writers_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    init_project(tmp_path, name="swept")
    project = find_project(tmp_path)
    old, fresh = (project.storage / f".registry.yaml.{name}.tmp" for name in ("a1", "b2"))
    old.write_text("")
    fresh.write_text("")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    with project.lock("test"):
        assert not old.exists()
        assert fresh.exists()
