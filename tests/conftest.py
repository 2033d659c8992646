"""For all tests: never the reader's home, never a surprise from their shell."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# A shared two-core runner makes single examples slow now and then; these tests are not about that.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("house")

# A run in the background is started with SIGINT ignored, and every child would inherit that.
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    and threading.current_thread() is threading.main_thread()
):
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHELL_SURPRISES = ("NO_COLOR", "FORCE_COLOR", "PYTHONPATH", "COLUMNS")


@pytest.fixture(scope="session", autouse=True)
def _a_home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith("MODELOPS_") and not name.startswith(("MODELOPS_TEST_", "MODELOPS_REQ")):
            del os.environ[name]
    for name in SHELL_SURPRISES:
        os.environ.pop(name, None)
    os.environ["HOME"] = str(home)
    yield
    os.environ.clear()
    os.environ.update(before)
