"""What is killed: bundle commands, what they start from, and what may be left of them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.choosing import add_files, remove_files
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.registering import refresh, register, set_target_set
from modelops_bundle.registry import load_registry
from modelops_bundle.status.reading import read_status
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import NotFound
from support.projects import edit, make_project, make_registered, write_files

OWN = ".modelops-bundle"
MINE = {"mine.txt": "never tracked", "data/peak.csv": "peak\n9\n"}
State = dict[str, Any]


class Scenario:
    """A folder to work in, an action, and what may be left when it is killed.

    `work` is put back before every kill; what is beside it stays, as a colleague's machine and a
    registry do.
    """

    def __init__(self, folder: Path, registry: str | None = None) -> None:
        self.folder = folder / "scenario"
        self.work = self.folder / "work"
        self.registry = registry
        self.repository = f"crashes/{secrets.token_hex(6)}"
        self.work.mkdir(parents=True)

    @property
    def root(self) -> Path:
        return self.work / "project"

    @property
    def project(self) -> Project:
        return open_project(self.root)

    def store(self) -> Any:
        """A new client every time, as every command has its own."""
        if self.registry is not None:
            return RemoteStore(self.registry, self.repository, cache_dir=self.work / "cache")
        return LayoutStore(self.store_folder, "little")

    @property
    def store_folder(self) -> Path:
        return self.work / "store"

    def prepare(self) -> None:
        raise NotImplementedError

    def begin(self, point: int) -> None:
        """Called before each kill."""

    def act(self) -> object:
        raise NotImplementedError

    def heal(self, done: bool) -> object:
        """What the user does next; `done` when the action had come to its end."""
        return self.act()

    def open(self) -> None:
        """What a user does first to see what happened; it must not fail."""
        if self.root.exists():
            read_status(self.project)

    def look(self) -> State:
        """What a user can see: registry, tracked list, own files, and where the tag points."""
        project = self.project
        registry = load_registry(project.root).to_dict()
        return {
            "registry": json.dumps(registry, default=str, sort_keys=True),
            "config": (project.storage / "config.yaml").read_text(),
            "tracked": list(read_tracked(project.root)),
            "files": own_files(project.root),
            "tag": whole_tag(self.store()),
        }

    def check_left(self, before: State, left: State, after: State) -> None:
        assert left["files"] == before["files"]
        self.check_records(before, left, after)

    def check_records(self, before: State, left: State, after: State) -> None:
        middle = sorted({*before["tracked"], *after["tracked"]})
        assert left["tracked"] in (before["tracked"], middle, after["tracked"])
        for part in ("registry", "config", "tag"):
            assert left[part] in (before[part], after[part]), part

    def check_end(self, state: State) -> None:
        storage = self.root / OWN
        assert not (storage / "journal.json").exists()
        staging = storage / "staging"
        # What is left there is swept after an hour; only a record of work would be in the way.
        assert not staging.exists() or state["tag"] is not None


def own_files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and OWN not in path.relative_to(root).parts
    }


def whole_tag(store: Any) -> str | None:
    try:
        digest = store.resolve("latest")
    except NotFound:
        return None
    manifest = json.loads(store.get_manifest(digest))
    for blob in (manifest["config"], *manifest["layers"]):
        assert store.has_blob(blob["digest"]), "the tag points to a bundle that is not whole"
    return str(digest)


class Register(Scenario):
    def prepare(self) -> None:
        register(make_project(self.root), "model", "models/sir.py", cwd=self.root)

    def act(self) -> object:
        return register(self.project, "target", "targets/counts.py", cwd=self.root)


class Refresh(Scenario):
    def prepare(self) -> None:
        project = make_registered(self.root)
        set_target_set(project, "all", [], {"peak": 3.0})
        push(project, self.store())
        edit(project, "targets/counts.py", "def peak", "def summit")
        (self.root / "models/core").mkdir()
        (self.root / "models/sir.py").rename(self.root / "models/core/sir.py")

    def act(self) -> object:
        return refresh(self.project)


class Add(Scenario):
    def prepare(self) -> None:
        make_registered(self.root)
        write_files(self.root, {"extra/a.csv": "1\n", "extra/b.csv": "2\n", "key.pem": "x\n"})

    def act(self) -> object:
        return add_files(self.project, ["extra"], allow_secret=["key.pem"], cwd=self.root)

    def heal(self, done: bool) -> object:
        if "secret_exceptions" in (self.root / OWN / "config.yaml").read_text():
            return add_files(self.project, ["extra", "key.pem"], cwd=self.root)
        return self.act()


class Remove(Scenario):
    def prepare(self) -> None:
        project = make_registered(self.root)
        write_files(self.root, {"extra/a.csv": "1\n", "extra/b.csv": "2\n", **MINE})
        add_files(project, ["extra"], cwd=self.root)

    def act(self) -> object:
        return remove_files(self.project, ["extra"], delete=True, cwd=self.root)

    def heal(self, done: bool) -> object:
        return None if done else self.act()

    def check_left(self, before: State, left: State, after: State) -> None:
        assert before["files"].items() >= left["files"].items() >= after["files"].items()
        self.check_records(before, left, after)


class Push(Scenario):
    def prepare(self) -> None:
        project = make_registered(self.root)
        push(project, self.store())
        write_files(self.root, {"data/cases.csv": "week,cases\n1,4\n", **MINE})
        edit(project, "models/helpers.py", "* seed", "+ seed")

    def act(self) -> object:
        return push(self.project, self.store())


class PushRemote(Push):
    """The first push of a project, each time into a repository of its own."""

    def prepare(self) -> None:
        make_registered(self.root)
        write_files(self.root, {f"data/more{n}/part.csv": f"{n}\n" * 9 for n in range(3)})
        add_files(self.project, ["data"], cwd=self.root)

    def begin(self, point: int) -> None:
        self.repository = f"{self.repository.rpartition('/')[0]}/p{point}-{secrets.token_hex(4)}"


class Pull(Scenario):
    """Somebody pushed twice; the project saw the first push and has changes of its own."""

    def prepare(self) -> None:
        theirs = make_registered(self.folder / "theirs")
        push(theirs, self.store())
        clone(self.store(), "latest", self.root, repository="little")
        edit(theirs, "models/helpers.py", "* seed", "+ seed")
        edit(theirs, "targets/counts.py", '"kind": "weekly"', '"kind": "monthly"')
        write_files(theirs.root, {"extra/deep/a.csv": "1\n", "extra/b.csv": "2\n"})
        (theirs.root / "data/cases.csv").rename(theirs.root / "data/renamed.csv")
        edit(theirs, "targets/counts.py", "data/cases.csv", "data/renamed.csv")
        names = ["extra/deep/a.csv", "extra/b.csv", "data/renamed.csv"]
        write_tracked(theirs.root, [*read_tracked(theirs.root), *names])
        push(theirs, self.store(), allow_stale=True)
        write_files(self.root, MINE)
        self.kills = 0

    @property
    def store_folder(self) -> Path:
        return self.folder / "store"

    def act(self) -> object:
        return pull(self.project, self.store())

    def heal(self, done: bool) -> object:
        self.kills += 1
        if self.kills % 2:  # any other writer finishes it too, offline
            add_files(self.project, ["mine.txt"], cwd=self.root)
            remove_files(self.project, ["mine.txt"], cwd=self.root)
            assert not (self.root / OWN / "journal.json").exists()
        return self.act()

    def check_left(self, before: State, left: State, after: State) -> None:
        for path in {*before["files"], *left["files"], *after["files"]}:
            now = left["files"].get(path)
            assert now in (before["files"].get(path), after["files"].get(path)), path
        assert left["files"].items() >= MINE.items()
        assert left["registry"] in (before["registry"], after["registry"])
        assert left["tag"] == after["tag"]


class Clone(Scenario):
    def prepare(self) -> None:
        push(make_registered(self.folder / "theirs"), self.store())

    @property
    def store_folder(self) -> Path:
        return self.folder / "store"

    def act(self) -> object:
        return clone(self.store(), "latest", self.root, repository="little")

    def heal(self, done: bool) -> object:
        return None if done else self.act()

    def look(self) -> State:
        return super().look() if self.root.exists() else {"files": {}, "tag": None}

    def check_left(self, before: State, left: State, after: State) -> None:
        assert left in (before, after)


class Cache(Scenario):
    """A worker fetches a bundle while another one is there already."""

    def prepare(self) -> None:
        project = make_registered(self.folder / "theirs")
        self.old = push(project, self.store()).manifest
        edit(project, "models/helpers.py", "* seed", "+ seed")
        self.new = push(project, self.store()).manifest
        self.cache.ensure(self.store(), self.old)

    @property
    def store_folder(self) -> Path:
        return self.folder / "store"

    @property
    def cache(self) -> BundleCache:
        return BundleCache(self.work / "bundles")

    def act(self) -> object:
        return self.cache.ensure(self.store(), self.new)

    def look(self) -> State:
        trees = [tree.digest for tree in self.cache.trees()]
        # A tree that is there under its name is whole, whenever the process ended.
        return {"trees": sorted(trees), "texts": {item: self.texts(item) for item in trees}}

    def texts(self, digest: str) -> dict[str, str]:
        tree = self.cache.tree_path(digest)
        return {
            path.relative_to(tree).as_posix(): path.read_text()
            for path in sorted(tree.rglob("*"))
            if path.is_file()
        }

    def check_left(self, before: State, left: State, after: State) -> None:
        assert left in (before, after)

    def check_end(self, state: State) -> None:
        for digest in state["trees"]:
            self.cache.ensure(BrokenStore(self.store()), digest)


class BrokenStore:
    """Knows the indexes and fetches nothing: what is in the cache has to do."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def get_blob(self, digest: str) -> Any:
        stream = self.store.get_blob(digest)
        data = stream.read()
        assert data.startswith(b"{"), "a tree is fetched again that was whole"
        return self.store.get_blob(digest)


class Collect(Cache):
    """Everything leaves the cache."""

    def prepare(self) -> None:
        super().prepare()
        self.cache.ensure(self.store(), self.new)

    def act(self) -> object:
        return self.cache.collect(max_bytes=0)

    def check_left(self, before: State, left: State, after: State) -> None:
        for digest in left["trees"]:
            assert left["texts"][digest] == before["texts"][digest]


ACTIONS: Mapping[str, Callable[[Path, str | None], Scenario]] = {
    "register": Register,
    "refresh": Refresh,
    "add": Add,
    "remove": Remove,
    "push": Push,
    "push-remote": PushRemote,
    "pull": Pull,
    "pull-remote": Pull,
    "clone": Clone,
    "clone-remote": Clone,
    "cache": Cache,
    "gc": Collect,
}
