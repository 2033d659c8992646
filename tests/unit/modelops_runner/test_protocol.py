"""Frames arrive as they were sent, however the bytes are cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelops_runner.protocol import Channel, ChannelClosedError, join_tables, split_tables


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    one, other = socket.socketpair()
    yield Channel(one), other
    one.close()
    other.close()


Frames = list[tuple[dict[str, object], bytes]]


def exchange(frames: Frames) -> Frames:
    one, other = socket.socketpair()
    with one, other:
        sender, receiver = Channel(one), Channel(other)
        thread = threading.Thread(
            target=lambda: [sender.send(header, [payload]) for header, payload in frames]
        )
        thread.start()
        received = [receiver.receive() for _ in frames]
        thread.join()
    return received


@given(
    st.lists(
        st.tuples(st.dictionaries(st.text(), st.integers() | st.text() | st.none()), st.binary()),
        max_size=8,
    )
)
def test_frames_arrive_in_order(frames: Frames) -> None:
    assert exchange(frames) == frames


def test_large_payloads() -> None:
    frames = [({"n": i}, bytes([i]) * size) for i, size in enumerate((0, 1 << 16, 5_000_000, 3))]
    assert exchange(list(frames)) == frames


def test_single_bytes(pair: tuple[Channel, socket.socket]) -> None:
    receiver, raw = pair
    recorder, source = socket.socketpair()
    with recorder, source:
        Channel(source).send({"type": "x"}, [b"abc", b"def"])
        data = recorder.recv(1 << 16)
    thread = threading.Thread(target=lambda: [raw.send(data[i : i + 1]) for i in range(len(data))])
    thread.start()
    assert receiver.receive() == ({"type": "x"}, b"abcdef")
    thread.join()


def test_numbers_keep_their_value() -> None:
    values = {"seed": 2**64 - 1, "x": 0.1, "y": 1e-300, "z": -0.0, "flag": True}
    ((header, _),) = exchange([(values, b"")])
    assert repr(header) == repr(values)


def test_the_end_of_the_conversation(pair: tuple[Channel, socket.socket]) -> None:
    receiver, raw = pair
    raw.send(b"\0\0")
    raw.close()
    with pytest.raises(ChannelClosedError):
        receiver.receive()


def test_sending_to_nobody(pair: tuple[Channel, socket.socket]) -> None:
    sender, raw = pair
    raw.close()
    with pytest.raises(ChannelClosedError):
        sender.send({"type": "x"}, [bytes(1 << 20)])


def test_a_waiting_reader_can_be_ended(pair: tuple[Channel, socket.socket]) -> None:
    receiver, _raw = pair
    receiver.wait_at_most(0.01)

    def give_up() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        receiver.receive(give_up)


@given(st.dictionaries(st.text(), st.binary()))
def test_tables_are_split_as_they_were_joined(tables: dict[str, bytes]) -> None:
    sizes, parts = join_tables(tables)
    assert split_tables(sizes, b"".join(parts)) == tables
