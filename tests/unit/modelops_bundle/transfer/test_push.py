from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from modelops_bundle.api import push_dir
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.opening import OpenBundle, open_bundle
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.registering import register
from modelops_bundle.repository import ModelOpsBundleRepository
from modelops_bundle.transfer.push import apply_push, plan_push, push
from modelops_contracts.errors import Conflict, IntegrityError, InvalidInput, NotFound
from modelops_contracts.registry import REGISTRY_PATH, BundleRegistry
from support.projects import FILES, age_files, edit, make_project, make_registered, write_files


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "artifacts", "little")


def read_bundle(store: LayoutStore, digest: str, cache: Path) -> tuple[OpenBundle, dict[str, str]]:
    with open_bundle(digest, store=store, cache_dir=cache) as bundle:
        texts = {
            path.relative_to(bundle.root).as_posix(): path.read_text()
            for path in sorted(bundle.root.rglob("*"))
            if path.is_file()
        }
        return bundle, texts


def test_what_is_pushed_can_be_opened(project: Project, store: LayoutStore, tmp_path: Path) -> None:
    result = push(project, store)
    assert result.pushed
    bundle, texts = read_bundle(store, result.manifest, tmp_path / "cache")
    assert texts.items() >= FILES.items()
    assert bundle.content == result.content
    assert bundle.registry.models["sir_sir"].digest == bundle.model_digests["sir_sir"]
    assert set(bundle.target_digests) == {"peak", "weekly_cases"}
    assert texts[REGISTRY_PATH] == project.registry_path.read_text()


def test_pushing_again_sends_nothing(project: Project, store: LayoutStore) -> None:
    first = push(project, store)
    again = push(project, store)
    assert (again.manifest, again.pushed, again.sent) == (first.manifest, False, 0)


def test_the_same_content_gives_the_same_digests_everywhere(tmp_path: Path) -> None:
    answers = []
    for number, mask in enumerate((0o022, 0o077)):
        before = os.umask(mask)
        try:
            root = tmp_path / f"place-{number}"
            files = dict(sorted(FILES.items(), reverse=bool(number)))
            project = make_project(root, files)
            kinds = [("model", "models/sir.py"), ("target", "targets/counts.py")]
            for kind, path in kinds:
                register(project, kind, path, cwd=root)  # type: ignore[arg-type]
            age_files(root, 1000.0 * number)
            done = push(project, LayoutStore(tmp_path / f"artifacts-{number}", "little"))
        finally:
            os.umask(before)
        registry = BundleRegistry.load(root / REGISTRY_PATH)
        entries = [registry.models["sir_sir"].digest, registry.targets["peak"].digest]
        answers.append((done.manifest, done.content, entries))
    assert answers[0] == answers[1]


def test_the_content_digest_is_that_of_sha256sum(project: Project, store: LayoutStore) -> None:
    result = push(project, store)
    listing = subprocess.run(
        ["sha256sum", *sorted(read_tracked(project.root), key=str.encode)],
        cwd=project.root, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert result.content == "sha256:" + hashlib.sha256(listing).hexdigest()


def test_nothing_digested_holds_time_user_or_place(project: Project, store: LayoutStore) -> None:
    result = push(project, store)
    manifest = json.loads(store.get_manifest(result.manifest))
    with store.get_blob(manifest["config"]["digest"]) as stream:
        text = stream.read().decode() + json.dumps(manifest)
    assert str(project.root) not in text
    assert "created" not in text
    assert set(manifest["annotations"]) == {
        "org.modelops.format", "org.modelops.content", "org.modelops.environment",
    }  # fmt: skip


def test_digests_are_recorded_before_packing(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    push(project, store)
    edit(project, "models/helpers.py", "* seed", "+ seed")
    result = push(project, store)
    assert result.layers_sent == 1
    bundle, texts = read_bundle(store, result.manifest, tmp_path / "cache")
    assert "+ seed" in texts["models/helpers.py"]
    recorded = bundle.registry.models["sir_sir"].code_digests["models/helpers.py"]
    data = texts["models/helpers.py"].encode()
    assert recorded == "sha256:" + hashlib.sha256(data).hexdigest()


def test_structural_drift_stops_a_push(project: Project, store: LayoutStore) -> None:
    push(project, store)
    before = store.tags()
    edit(project, "targets/counts.py", "def peak", "def summit")
    edit(project, "targets/counts.py", "return max(", "return min(")
    registry = project.registry_path.read_bytes()
    with pytest.raises(Conflict, match="function peak not found") as caught:
        push(project, store)
    assert caught.value.exit_code == 3
    assert caught.value.hint == "mops bundle refresh --rename peak=summit"
    assert project.registry_path.read_bytes() == registry
    assert store.tags() == before
    assert push(project, store, allow_stale=True).pushed


def test_allow_stale_does_not_pass_a_file_that_does_not_parse(
    project: Project, store: LayoutStore
) -> None:
    edit(project, "targets/counts.py", "def peak", "def peak(:")
    with pytest.raises(Conflict, match=r"targets/counts\.py:\d+"):
        push(project, store, allow_stale=True)


def test_planning_writes_nothing(project: Project, store: LayoutStore) -> None:
    edit(project, "models/helpers.py", "* seed", "+ seed")
    before = {p: p.read_bytes() for p in project.storage.iterdir() if p.name in
              {"registry.yaml", "tracked.txt"}}  # fmt: skip
    plan = plan_push(project, store)
    assert not store.root.exists()
    assert {path: path.read_bytes() for path in before} == before
    assert set(plan.changes.added) == set(read_tracked(project.root))
    assert apply_push(plan, store).pushed


def test_somebody_elses_push_is_not_undone(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    push(project, store)
    other = make_registered(tmp_path / "other")
    push(other, store)  # the same content: both agree
    edit(other, "data/cases.csv", "2,8", "2,9")
    push(other, store)
    edit(project, "models/helpers.py", "* seed", "+ seed")
    with pytest.raises(Conflict, match=r"data/cases\.csv") as caught:
        push(project, store)
    assert caught.value.exit_code == 3
    assert "--tag" in str(caught.value.hint)
    assert push(project, store, "mine").pushed
    assert push(project, store, force=True).pushed


def test_a_stranger_at_the_tag_is_not_overwritten(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    other = make_registered(tmp_path / "other")
    edit(other, "data/cases.csv", "2,8", "2,9")
    push(other, store)
    with pytest.raises(Conflict) as caught:
        push(project, store)
    assert caught.value.code == "lost_update"


def test_two_pushes_at_once_cannot_both_win(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    other = make_registered(tmp_path / "other")
    edit(other, "data/cases.csv", "2,8", "2,9")
    mine, theirs = plan_push(project, store), plan_push(other, store)
    apply_push(mine, store)
    with pytest.raises(Conflict, match="somebody else pushed"):
        apply_push(theirs, store)
    assert store.resolve("latest") == apply_push(plan_push(project, store), store).manifest


def test_a_file_edited_while_packing_is_named_and_nothing_is_tagged(
    project: Project, store: LayoutStore
) -> None:
    plan = plan_push(project, store)
    edit(project, "data/cases.csv", "2,8", "2,9")
    with pytest.raises(Conflict, match=r"data/cases\.csv changed while it was packed"):
        apply_push(plan, store)
    assert store.tags() == {}
    assert push(project, store).pushed


def test_large_files_links_and_modes_survive(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    (project.root / "data/large.bin").write_bytes(os.urandom(1_200_000))
    (project.root / "data/zeros.bin").write_bytes(bytes(2_000_000))
    script = project.root / "data/run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (project.root / "data/alias.csv").symlink_to("cases.csv")
    odd = "data/" + "ö" * 60 + " with blanks.csv"
    (project.root / odd).write_text("1\n")
    extra = ["data/large.bin", "data/zeros.bin", "data/run.sh", "data/alias.csv", odd]
    write_tracked(project.root, [*read_tracked(project.root), *extra])
    result = push(project, store)
    manifest = json.loads(store.get_manifest(result.manifest))
    kinds = [layer["mediaType"].rpartition(".")[2] for layer in manifest["layers"]]
    assert sorted(kinds) == ["tar", "tar+zstd", "tar+zstd"]
    with open_bundle(result.manifest, store=store, cache_dir=tmp_path / "cache") as bundle:
        for path in extra:
            assert (bundle.root / path).read_bytes() == (project.root / path).read_bytes()
        assert (bundle.root / "data/alias.csv").readlink() == Path("cases.csv")
        assert (bundle.root / "data/run.sh").stat().st_mode & 0o111
        assert not (bundle.root / "data/cases.csv").stat().st_mode & 0o222
    subprocess.run(["tar", "--version"], check=True, capture_output=True)


def test_other_tools_can_read_the_layers(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    import zstandard

    result = push(project, store)
    manifest = json.loads(store.get_manifest(result.manifest))
    (layer,) = manifest["layers"]
    with store.get_blob(layer["digest"]) as stream:
        data = zstandard.ZstdDecompressor().decompress(stream.read())
    listing = subprocess.run(["tar", "-tv"], input=data, capture_output=True, check=True).stdout
    names = [line.split()[-1] for line in listing.decode().splitlines()]
    assert names == sorted(read_tracked(project.root), key=str.encode)
    assert b"root" not in listing


def test_secrets_do_not_leave(project: Project, store: LayoutStore) -> None:
    edit(project, "data/cases.csv", "1,3", "AccountKey=" + "A" * 40)
    with pytest.raises(InvalidInput, match=r"data/cases\.csv:2") as caught:
        push(project, store)
    assert "AAAA" not in str(caught.value)
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "pyproject.toml").unlink(), "pyproject.toml not found"),
        (lambda root: (root / "pyproject.toml").write_text("["), "cannot parse pyproject.toml"),
        (lambda root: (root / "pyproject.toml").write_text("[project]\nname='x'\n"),
         "does not depend on modelops"),
    ],
)  # fmt: skip
def test_the_project_file_must_be_usable(
    project: Project, store: LayoutStore, change: object, message: str
) -> None:
    change(project.root)  # type: ignore[operator]
    with pytest.raises(InvalidInput, match=message) as caught:
        push(project, store)
    assert caught.value.hint


def test_an_ignored_dependency_is_an_error_and_a_new_one_is_tracked(
    project: Project, store: LayoutStore
) -> None:
    write_files(project.root, {"models/more.py": "y = 1\n", "notebooks/deep.py": "x = 1\n"})
    edit(project, "models/helpers.py", "def rate", "from models.more import y\n\n\ndef rate")
    push(project, store)
    assert "models/more.py" in read_tracked(project.root)
    edit(project, "models/helpers.py", "def rate", "from notebooks.deep import x\n\n\ndef rate")
    with pytest.raises(InvalidInput, match=r"notebooks/deep\.py is needed but ignored") as caught:
        push(project, store)
    assert caught.value.hint == "add the line !notebooks/deep.py to .modelopsignore"


def test_files_that_vanished_leave_the_bundle(project: Project, store: LayoutStore) -> None:
    write_files(project.root, {"notes.md": "x\n"})
    write_tracked(project.root, [*read_tracked(project.root), "notes.md"])
    push(project, store)
    (project.root / "notes.md").unlink()
    result = push(project, store)
    assert result.summary.changes.deleted == ("notes.md",)
    assert "notes.md" not in read_tracked(project.root)


def test_a_damaged_cache_is_rebuilt(project: Project, store: LayoutStore, tmp_path: Path) -> None:
    result = push(project, store)
    cache = tmp_path / "cache"
    bundle, texts = read_bundle(store, result.manifest, cache)
    victim = bundle.root / "models/sir.py"
    victim.chmod(0o644)
    victim.write_text("print('other')\n")
    assert read_bundle(store, result.manifest, cache)[1] == texts
    bundle.root.chmod(0o755)
    (bundle.root / "models").chmod(0o755)
    (bundle.root / "models/planted.py").write_text("x = 1\n")
    assert read_bundle(store, result.manifest, cache)[1] == texts


def test_a_damaged_blob_is_never_opened(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    result = push(project, store)
    manifest = json.loads(store.get_manifest(result.manifest))
    blob = store.root / "blobs/sha256" / manifest["layers"][0]["digest"].removeprefix("sha256:")
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(bytes(data))
    with (
        pytest.raises(IntegrityError),
        open_bundle(result.manifest, store=store, cache_dir=tmp_path / "cache"),
    ):
        pass
    assert [p for p in (tmp_path / "cache/trees").iterdir() if p.is_dir()] == []


def test_a_lost_layer_is_sent_again(project: Project, store: LayoutStore) -> None:
    first = push(project, store)
    manifest = json.loads(store.get_manifest(first.manifest))
    layer = manifest["layers"][0]["digest"]
    (store.root / "blobs/sha256" / layer.removeprefix("sha256:")).unlink()
    again = push(project, store)
    assert (again.pushed, again.manifest) == (True, first.manifest)
    assert store.has_blob(layer)


def test_bundles_are_opened_by_digest_only(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    result = push(project, store)
    with (
        pytest.raises(InvalidInput, match="names a tag"),
        open_bundle("little:latest", store=store, cache_dir=tmp_path),
    ):
        pass
    with (
        pytest.raises(NotFound),
        open_bundle("sha256:" + "0" * 64, store=store, cache_dir=tmp_path),
    ):
        pass
    repository = ModelOpsBundleRepository(store.location, tmp_path / "cache")
    digest, tree = repository.ensure_local(f"little@{result.manifest}")
    assert (digest, (tree / "models/sir.py").is_file()) == (result.manifest, True)
    assert repository.exists("little:latest")
    assert not repository.exists("little:other")
    with pytest.raises(ValueError, match="digest reference"):
        repository.ensure_local("little:latest")


def test_push_dir_answers_with_the_manifest_digest(project: Project, store: LayoutStore) -> None:
    digest = push_dir(project.root / "models", store=store)
    assert digest == store.resolve("latest")


def test_a_moved_project_keeps_its_repository(project: Project, tmp_path: Path) -> None:
    target = tmp_path / "Another Name"
    project.root.rename(target)
    assert open_project(target).repository == "little"
