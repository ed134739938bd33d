# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import http.client
import resource
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from tests.asking import LENGTH, get, served, until

from fleutan.errors import FleutanError, UsageError
from fleutan.faces.web.bounds import Bounds, Service
from fleutan.faces.web.desk import Desk
from fleutan.faces.web.programs import Program
from fleutan.faces.web.serving import (
    FILES,
    Listen,
    Server,
    address,
    is_loopback,
    listening,
    serve,
    tls,
    with_files,
)
from fleutan.programs.signals import Orders

ANY = "0.0.0.0"  # noqa: S104  # that it is not bound is what is tested


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes a certificate, is not installed")
    path = tmp_path_factory.mktemp("tls")
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    command = ["openssl", "req", *kind, *names]
    subprocess.run(
        [*command, "-keyout", path / "key.pem", "-out", path / "cert.pem"], check=True, capture_output=True, timeout=60
    )
    return path


# -- where is listened


def closed(listen: Listen) -> list[str]:
    """Where is listened, as URLs; ends it."""
    sockets = listening(listen)
    found = [address(one, False) for one in sockets]
    for one in sockets:
        one.close()
    return found


def test_loopback_is_listened_at_by_default() -> None:
    found = closed(Listen(port=0))
    port = found[0].rpartition(":")[2]
    assert found[0] == f"http://127.0.0.1:{port}"
    assert found[1:] in ([], [f"http://[::1]:{port}"])


@pytest.mark.parametrize("host", [ANY, "::"])
def test_nothing_beyond_loopback_unless_it_is_said_who_may_ask(host: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is beyond loopback: say who may ask \(--tokens FILE\), or --open"):
        listening(Listen((host,), 0))
    assert closed(Listen((host,), 0, open_=True))
    assert closed(Listen((host,), 0, tokens=tmp_path))


def test_addresses_that_are_none_are_said() -> None:
    with pytest.raises(UsageError, match=r"'no\.such\.invalid' is no address to listen at"):
        listening(Listen(("no.such.invalid",), 0))
    with pytest.raises(UsageError, match="is no address"):
        listening(Listen(("a" * 300,), 0))


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FleutanError, match=f"cannot listen at 127.0.0.1, port {port}: address already in use"):
            listening(Listen(("127.0.0.1",), port))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("fe80::1%lo", False),
     (ANY, False), ("::", False), ("192.0.2.1", False)],
)  # fmt: skip
def test_what_only_this_host_reaches(text: str, expected: bool) -> None:
    assert is_loopback(text) == expected


# -- files


def test_files_are_had_for_every_connection() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert with_files(Bounds(connections=10)).connections == 10
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES + 20, before[1]))
        assert with_files(Bounds(connections=100)).connections == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= FILES + 200
        assert with_files(Bounds(connections=1 << 40)).connections < 1 << 40
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


# -- TLS


def test_a_certificate_is_read(certificate: Path) -> None:
    assert tls(Listen()) is None
    found = tls(Listen(certificate=certificate / "cert.pem", key=certificate / "key.pem"))
    assert found is not None
    assert found.minimum_version == ssl.TLSVersion.TLSv1_2


def test_what_is_no_certificate_is_said(certificate: Path) -> None:
    with pytest.raises(UsageError, match="a key without a certificate"):
        tls(Listen(key=certificate / "key.pem"))
    with pytest.raises(UsageError, match="No such file"):
        tls(Listen(certificate=certificate / "none.pem"))
    with pytest.raises(UsageError, match="is no certificate with its key"):
        tls(Listen(certificate=certificate / "cert.pem"))


# -- the server


def test_a_client_of_the_standard_library_is_answered(service: Service) -> None:
    with served(service) as server:
        found = server.get("/traffic?time=-10m:0&format=plain")
        assert (found.status, found.body.count(b"\n")) == (200, LENGTH)
        assert found.headers["transfer-encoding"] == "chunked"
        assert "server" not in found.headers
        assert server.get("/api/v1/status").json["name"] == "node1"


def test_an_answer_that_goes_on_ends_with_the_server(service: Service) -> None:
    with served(service) as server:
        client = server.connect(get("/traffic?wait=yes"))
        assert client.recv(12) == b"HTTP/1.1 200"
    octets = b""
    with suppress(ConnectionResetError):
        while received := client.recv(1000):
            octets += received
    client.close()
    assert not octets.endswith(b"0\r\n\r\n")  # it is not whole


def test_a_client_that_goes_frees_its_place(service: Service) -> None:
    with served(service) as server:
        desk = server.server._desk
        client = server.connect(get("/traffic?wait=yes"))
        assert client.recv(12) == b"HTTP/1.1 200"
        until(lambda: desk.account()["followers"] == 1)
        client.close()
        until(lambda: desk.account()["followers"] == 0)


def test_over_tls(service: Service, certificate: Path) -> None:
    listen = Listen(("127.0.0.1",), 0, certificate=certificate / "cert.pem", key=certificate / "key.pem")
    (one,) = listening(listen)
    server = Server(Desk(service), None, tls(listen), listen)
    thread = threading.Thread(target=server.run, args=([one],))
    thread.start()
    try:
        until(lambda: server.started)
        trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        connection = http.client.HTTPSConnection("localhost", one.getsockname()[1], timeout=10, context=trusting)
        connection.request("GET", "/status")
        assert connection.getresponse().read().startswith(b"Node: node1")
        connection.close()
    finally:
        server.end()
        thread.join()
        one.close()


# -- the process


@pytest.fixture
def told() -> list[str]:
    return []


def run(service: Service, listen: Listen, programs: list[Program], told: list[str]) -> Exception | None:
    """Serves until a program ends; what was raised."""
    try:
        serve(service, listen, programs, told.append)
    except FleutanError as error:
        return error
    return None


def port_of(told: list[str]) -> int:
    until(lambda: told)
    return int(told[0].rpartition(":")[2])


def test_a_program_runs_beside_the_server_and_ends_with_it(service: Service, told: list[str]) -> None:
    leave, ended = threading.Event(), threading.Event()
    found: list[Exception | None] = []

    def collect(orders: Orders) -> None:
        until(lambda: orders.stopped)
        ended.set()

    def one(_: Orders) -> None:
        assert leave.wait(20)
        raise FleutanError("enough")

    programs = [Program("collect", collect), Program("record", one)]
    thread = threading.Thread(target=lambda: found.append(run(service, Listen(port=0), programs, told)))
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", port_of(told), timeout=10)
    connection.request("GET", "/status")  # waits in the socket's queue until the server takes it
    assert connection.getresponse().read().startswith(b"Node: ")
    connection.close()
    leave.set()
    thread.join(20)
    assert ended.is_set()
    assert str(found[0]) == "record ended: enough"


def test_wrong_tokens_and_certificates_are_said_before_anything_is_listened_at(
    service: Service, told: list[str], tmp_path: Path
) -> None:
    for listen in (Listen(tokens=tmp_path / "none"), Listen(certificate=tmp_path / "none")):
        assert isinstance(run(service, listen, [], told), UsageError)
    assert told == []
