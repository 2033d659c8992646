"""What a runner process may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops.engine.memory import read_memory_limit, share_memory


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_container_may_be_allowed_less_than_the_machine_has(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("1048576\n")
    assert read_memory_limit(tmp_path) == 1 << 20


@pytest.mark.parametrize("text", ["max\n", "", "9223372036854771712\n"])
def test_no_limit_is_that_of_the_machine(tmp_path: Path, text: str) -> None:
    (tmp_path / "memory.max").write_text(text)
    assert read_memory_limit(tmp_path) == read_memory_limit(tmp_path / "nowhere") > 1 << 20


def test_slots_share_it() -> None:
    assert share_memory(4) * 4 < read_memory_limit()
    assert share_memory(1) > share_memory(2)
