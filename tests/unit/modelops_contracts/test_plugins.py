"""Finding what installed distributions offer."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops_contracts.errors import Conflict, InvalidInput, NotFound
from modelops_contracts.plugins import find_plugin, list_plugins, load_object, load_plugin

GROUP = "modelops.test_group"


def install(root: Path, distribution: str, entries: str) -> None:
    info = root / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_one_offer(site: Path) -> None:
    install(site, "one", "join = os.path:join\nname = os:name")
    assert [plugin.name for plugin in list_plugins(GROUP)] == ["join", "name"]
    found = find_plugin(GROUP, "join")
    assert (found.reference, found.distribution) == ("os.path:join", "one")
    assert load_plugin(GROUP, "join")("a", "b") == "a/b"


def test_two_offers_name_both(site: Path) -> None:
    install(site, "one", "join = os.path:join")
    install(site, "two", "join = os.path:split")
    with pytest.raises(Conflict, match="one and two both offer 'join'"):
        find_plugin(GROUP, "join")


def test_no_offer_names_the_nearest(site: Path) -> None:
    install(site, "one", "optuna = os:name")
    with pytest.raises(NotFound) as caught:
        find_plugin(GROUP, "optun")
    assert caught.value.hint == "did you mean optuna?"
    with pytest.raises(NotFound) as caught:
        find_plugin("modelops.nobody", "x")
    assert caught.value.hint == "installed: nothing"


def test_the_wire_is_offered_once() -> None:
    assert find_plugin("modelops.wire", "execute").distribution == "modelops"


def test_load_object() -> None:
    assert load_object("pathlib:Path.cwd")() == Path.cwd()
    for bad in ("pathlib", ":x", "pathlib:"):
        with pytest.raises(InvalidInput, match="module:object"):
            load_object(bad)
    with pytest.raises(NotFound, match="no 'Pth'") as caught:
        load_object("pathlib:Pth")
    assert caught.value.hint == "did you mean 'Path'?"
    with pytest.raises(ModuleNotFoundError):
        load_object("no_such_module:x")
