"""Ctrl-C once and twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from modelops.jobs.interrupt import Interrupt


def test_the_first_signal_asks_the_second_ends() -> None:
    told: list[str] = []
    interrupt = Interrupt(on_first=lambda: told.append("how to go on"))
    with interrupt.installed():
        assert not interrupt.should_stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.should_stop()
        assert interrupt.by_signal
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert told == ["how to go on"]


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt().installed():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_terminal_that_hangs_up_asks_once_however_often_it_says_so() -> None:
    told: list[str] = []
    interrupt = Interrupt(
        on_first=lambda: told.append("how to go on"), on_hang_up=lambda: told.append("gone")
    )
    with interrupt.installed():
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert interrupt.should_stop()
    assert told == ["gone", "how to go on", "gone"]


def test_a_hang_up_that_the_caller_ignores_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt = Interrupt()
    try:
        with interrupt.installed():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupt.should_stop()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_request_file_counts_too(tmp_path: Path) -> None:
    interrupt = Interrupt()
    interrupt.watch(tmp_path / "cancel")
    assert not interrupt.should_stop()
    (tmp_path / "cancel").write_text("")
    assert interrupt.should_stop()
    assert not interrupt.by_signal


def test_a_request_by_hand() -> None:
    interrupt = Interrupt()
    interrupt.request()
    assert interrupt.should_stop()
