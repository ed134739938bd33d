# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import FleutanError
from fleutan.linux.unixhttp import Answer, get, response

OK = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"


@contextmanager
def server(path: Path, *parts: bytes, closes: bool = True) -> Iterator[list[bytes]]:
    """Answers one question in parts; what it was asked."""
    asked: list[bytes] = []
    ended: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                client, _ = listener.accept()
                ended.append(client)
                asked.append(client.recv(65_536))
                for part in parts:
                    client.sendall(part)
                if closes:
                    client.close()

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield asked
        thread.join(5)
        for client in ended:
            client.close()


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    with server(tmp_path / "s", OK, b"[", b"]") as asked:
        assert get(str(tmp_path / "s"), "/containers/json") == b"[]"
    assert asked[0].startswith(b"GET /containers/json HTTP/1.0\r\nHost: ")
    assert asked[0].endswith(b"\r\n\r\n")


def test_an_answer_in_chunks() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert response(head + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n") == Answer(200, b"abc0123456789")
    for broken in (b"3\r\nabc\r\n", b"9\r\nabc\r\n0\r\n\r\n", b"x\r\n", b""):
        with pytest.raises(ValueError, match="cut short"):
            response(head + broken)


def test_an_answer_of_a_length() -> None:
    assert response(b"HTTP/1.1 404 Not Found\r\nContent-length: 2\r\n\r\nabc") == Answer(404, b"ab")
    for length in (b"4", b"x", b"9" * 5000):
        with pytest.raises(ValueError, match="cut short"):
            response(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\nabc")


@pytest.mark.parametrize("octets", [b"", b"220 smtp ready\r\n\r\n", b"HTTP/1.1 20\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_what_is_no_answer(octets: bytes) -> None:
    with pytest.raises(ValueError, match="not HTTP"):
        response(octets)


@given(st.binary(max_size=200), st.sampled_from([b"", OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]))
def test_any_octets_are_an_answer_or_an_error(octets: bytes, head: bytes) -> None:
    with suppress(ValueError):
        response(head + octets)


def test_another_status_is_an_error(tmp_path: Path) -> None:
    with server(tmp_path / "s", b"HTTP/1.0 500 No\r\n\r\n{}"), pytest.raises(FleutanError, match="answered with 500"):
        get(str(tmp_path / "s"), "/x")


def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(FleutanError, match="no such file"):
        get(str(tmp_path / "s"), "/x")
    (tmp_path / "file").touch()
    with pytest.raises(FleutanError, match="connection refused"):
        get(str(tmp_path / "file"), "/x")


def test_who_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with server(tmp_path / "s", closes=False), pytest.raises(FleutanError, match="does not answer in time"):
        get(str(tmp_path / "s"), "/x", silence=0.05)


def test_who_says_little_at_a_time_is_not_waited_for(tmp_path: Path) -> None:
    with server(tmp_path / "s", OK, closes=False), pytest.raises(FleutanError, match="does not answer in time"):
        get(str(tmp_path / "s"), "/x", silence=5, whole=0)


def test_who_does_not_stop_is_not_listened_to(tmp_path: Path) -> None:
    with (
        server(tmp_path / "s", OK, *[bytes(65_536)] * 4),
        pytest.raises(FleutanError, match="is longer than 100000 bytes"),
    ):
        get(str(tmp_path / "s"), "/x", most=100_000)
