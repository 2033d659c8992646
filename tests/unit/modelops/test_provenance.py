"""Which commit is running: what a build wrote down, else what git's files say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import modelops
from modelops import _build, provenance
from support.install_wheels import commit_all, git
from support.testbed import ROOT

COMMIT = "1a2b3c4d" * 5


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "src" / "modelops_contracts").mkdir(parents=True)
    (root / "src" / "modelops_contracts" / "__init__.py").write_text("")
    (root / "pyproject.toml").write_text("")
    git(root, "init", "--quiet", "--initial-branch", "main")
    return root


def test_a_checkout_asks_git(checkout: Path) -> None:
    assert provenance.find_commit(checkout) is None  # nothing is committed yet
    assert provenance.version_line("cb", checkout) == f"cb {modelops.__version__}"
    commit = commit_all(checkout)
    assert provenance.find_commit(checkout) == commit
    expected = f"cb {modelops.__version__} ({commit[:7]}, checkout)"
    assert provenance.version_line("cb", checkout) == expected


def test_a_packed_reference_and_a_detached_head(checkout: Path) -> None:
    commit = commit_all(checkout)
    git(checkout, "pack-refs", "--all")
    assert not (checkout / ".git" / "refs" / "heads" / "main").exists()
    assert provenance.find_commit(checkout) == commit
    git(checkout, "checkout", "--quiet", "--detach")
    assert provenance.find_commit(checkout) == commit


def test_a_worktree(checkout: Path, tmp_path: Path) -> None:
    commit_all(checkout)
    git(checkout, "worktree", "add", "--quiet", "-b", "two", str(tmp_path / "two"))
    (tmp_path / "two" / "pyproject.toml").write_text("# two\n")
    commit = commit_all(tmp_path / "two")
    assert provenance.find_commit(tmp_path / "two") == commit
    assert provenance.find_commit(checkout) != commit


def test_only_changes_of_what_is_built_make_it_dirty(checkout: Path) -> None:
    commit_all(checkout)
    assert provenance.is_dirty(checkout) is False
    (checkout / "notes.txt").write_text("x")
    assert provenance.is_dirty(checkout) is False
    (checkout / "src" / "new.py").write_text("x")
    assert provenance.is_dirty(checkout) is True


def test_a_folder_inside_another_repository_is_no_checkout(checkout: Path) -> None:
    commit_all(checkout)
    inner = checkout / "env" / "lib"
    inner.mkdir(parents=True)
    assert provenance.find_commit(inner) is None
    assert provenance.is_dirty(inner) is None


def test_no_git_program_means_unknown(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = commit_all(checkout)
    monkeypatch.setenv("PATH", "/nowhere")
    assert provenance.is_dirty(checkout) is None
    assert provenance.find_commit(checkout) == commit


@pytest.mark.parametrize(("dirty", "remark"), [(False, ""), (True, ", dirty")])
def test_a_build_says_what_was_written_down(
    monkeypatch: pytest.MonkeyPatch, dirty: bool, remark: str
) -> None:
    monkeypatch.setattr(provenance, "COMMIT", COMMIT)
    monkeypatch.setattr(provenance, "DIRTY", dirty)
    monkeypatch.setattr(provenance, "VERSION", f"0.3.0+g1a2b3c4{'.dirty' if dirty else ''}")
    assert provenance.find_commit() == COMMIT
    assert provenance.is_dirty() is dirty
    assert provenance.version_line("mops") == f"mops 0.3.0 (1a2b3c4{remark})"


def test_the_checkout_of_these_tests_holds_no_written_commit() -> None:
    assert (_build.COMMIT, _build.DIRTY) == ("", False)
    assert "+" not in _build.VERSION


def test_build_and_run_time_mean_the_same_by_dirty() -> None:
    backend = runpy.run_path(str(ROOT / "scripts" / "build_backend.py"))
    assert backend["BUILT_FROM"] == provenance._BUILT_FROM
