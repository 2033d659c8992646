"""Finding and ending what a process has started."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from modelops.engine.environments.children import find_children, kill_children

#: Starts a program in a session of its own, which starts another one.
TREE = "import subprocess; subprocess.run(['sh', '-c', 'sleep 600 & wait'], start_new_session=True)"


def test_the_whole_tree_is_found_and_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", TREE]) as process:
        deadline = time.monotonic() + 30
        while len(find_children(process.pid)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        kill_children(find_children(process.pid))
        process.wait(timeout=30)
    assert not find_children(process.pid)


def test_a_number_that_belongs_to_somebody_else_by_now_is_left_alone() -> None:
    kill_children([(os.getpid(), "1")])
