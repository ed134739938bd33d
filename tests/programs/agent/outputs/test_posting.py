# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.programs.agent.outputs.serving import DEADLINE, Answer, serving, until

from fleutan.errors import FleutanError, UsageError
from fleutan.programs.agent.outputs.posting import ANSWER, Post, token
from fleutan.programs.agent.outputs.queue import UnsentError

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


def failed(post: Callable[[bytes], bytes], body: bytes = b"x") -> UnsentError:
    with pytest.raises(UnsentError) as caught:
        post(body)
    return caught.value


@contextmanager
def peer(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that talks to each who connects, and then closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE)

        def serve() -> None:
            while True:
                try:
                    connection = listening.accept()[0]
                except OSError:
                    return
                with connection:
                    connection.settimeout(DEADLINE)
                    talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(DEADLINE)


def test_a_body_is_posted_over_one_connection() -> None:
    with serving(Answer(200, b"thanks")) as server:
        post = Post(f"{server.url}/write?db=a%20b", {"X-Header": "1"})
        assert post(b"one") == post(b"two") == b"thanks"
        post.close()
    assert [(one.path, one.body) for one in server.asked] == [("/write?db=a%20b", b"one"), ("/write?db=a%20b", b"two")]
    assert server.asked[0].headers["X-Header"] == "1"
    assert server.asked[0].headers["User-Agent"].startswith("fleutan/")
    assert post.title == f"{server.url}/write"


def test_names_and_passwords_are_sent_and_not_shown() -> None:
    with serving() as server:
        url = server.url.replace("//", "//me:p%40ss@")
        post = Post(url, {})
        post(b"")
        post.close()
    assert server.asked[0].path == "/"
    assert server.asked[0].headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert post.title == server.url


@pytest.mark.parametrize(
    ("answer", "again", "wait", "said"),
    [
        (Answer(400, b'{"error":\n "x\0"}'), False, 0.0, 'HTTP 400 Bad Request: {"error": "x?"}'),
        (Answer(413), False, 0.0, "HTTP 413 Request Entity Too Large"),
        (Answer(401), True, 0.0, "HTTP 401 Unauthorized"),
        (Answer(429, headers=(("Retry-After", "7"),)), True, 7.0, "HTTP 429 Too Many Requests"),
        (Answer(503, headers=(("Retry-After", "soon"),)), True, 0.0, "HTTP 503 Service Unavailable"),
        (Answer(599), True, 0.0, "HTTP 599"),
        (Answer(302, headers=(("Location", "http://127.0.0.1:1/"),)), True, 0.0, "HTTP 302 Found"),
    ],
)
def test_statuses_are_failures_by_their_code(answer: Answer, again: bool, wait: float, said: str) -> None:
    with serving(answer, Answer(204)) as server:
        post = Post(server.url, {})
        error = failed(post)
        assert (error.again, error.wait, str(error)) == (again, wait, said)
        assert error.reason == said.partition(":")[0]
        assert post(b"x") == b""
        post.close()


def test_an_answer_has_an_end() -> None:
    with serving(Answer(200, b"x" * (ANSWER + 1)), Answer(200, b"y")) as server:
        post = Post(server.url, {})
        assert len(post(b"one")) == ANSWER
        assert post(b"two") == b"y"
        post.close()


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = failed(Post(f"http://127.0.0.1:{port}", {}))
    assert (error.again, str(error)) == (True, "connection refused")
    assert failed(Post("http://nobody.invalid/", {})).again


def test_who_does_not_answer_is_not_waited_for() -> None:
    ended = threading.Event()
    with peer(lambda _: ended.wait(DEADLINE)) as port:
        error = failed(Post(f"http://127.0.0.1:{port}", {}, step=0.1))
        ended.set()
    assert (error.again, str(error)) == (True, "it does not answer in time")


def test_who_answers_too_slowly_is_left() -> None:
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Header: ")
        with suppress(OSError):
            while not ended.wait(0.02):
                connection.sendall(b"x")

    with peer(drip) as port:
        post = Post(f"http://127.0.0.1:{port}", {}, step=DEADLINE, whole=0.2)
        found: list[UnsentError] = []
        thread = threading.Thread(target=lambda: found.append(failed(post)))
        thread.start()

        def ticked() -> bool:
            post.tick()
            return bool(found)

        until(ticked)
        thread.join(DEADLINE)
        post.tick()
        ended.set()
    assert (found[0].again, str(found[0])) == (True, "it does not answer in time")


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "remote end closed connection without response"),
        (b"220 mail.example.org ESMTP\r\n", "it answers with no HTTP (BadStatusLine)"),
    ],
)
def test_who_closes_in_the_middle(octets: bytes, said: str) -> None:
    with serving(Answer(octets=octets)) as server:
        post = Post(server.url, {})
        error = failed(post)
        assert (error.again, str(error)) == (True, said)


@pytest.mark.parametrize(
    "octets", [b"HTTP/1.1 204 No Content\r\nContent-", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]
)
def test_who_said_that_it_is_well_is_believed(octets: bytes) -> None:
    with serving(Answer(octets=octets)) as server:
        post = Post(server.url, {})
        assert post(b"x") == b""
        post.close()


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    def once(connection: socket.socket) -> None:
        if connection.recv(1 << 16):
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with peer(once) as port:
        post = Post(f"http://127.0.0.1:{port}", {})
        assert post(b"one") == b""
        assert post(b"two") == b""
        post.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert"), "-days", "2", "-subj", "/CN=x"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path


@needs_openssl
def test_certificates_are_verified(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    with serving(Answer(200, b"safe")) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = server.url.replace("http:", "https:")
        error = failed(Post(url, {}))
        assert (error.again, str(error)) == (True, "its certificate is not trusted: self-signed certificate")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
        post = Post(url, {})
        assert post(b"x") == b"safe"
        post.close()


@pytest.mark.parametrize("url", ["ftp://192.0.2.1/", "http:///write", "192.0.2.1", "http://192.0.2.1:99999/"])
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(UsageError, match=r"no URL of HTTP|no port that is one"):
        Post(url, {})


def test_a_token_is_the_first_line_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with pytest.raises(FleutanError, match="token: no such file or directory"):
        token(path)
    path.write_bytes(b" abc.def \nmore")
    assert token(path) == "abc.def"
    for wrong in (b"", b"\xff", b"a\tb"):
        path.write_bytes(wrong)
        with pytest.raises(FleutanError, match="its first line is no token"):
            token(path)
