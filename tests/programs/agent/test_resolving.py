# SPDX-License-Identifier: Apache-2.0
"""A small name server on loopback answers as it is told, or does not."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleutan.programs.agent.discovery import Answer, Found, Service
from fleutan.programs.agent.resolving import Resolving, look_up
from fleutan.sources.collectors import Collector

SRV, TXT = 33, 16
#: Of a name and a type: records (their lifetime and data), or octets that are the whole answer.
Zone = dict[tuple[str, int], list[tuple[int, bytes]] | bytes]


def wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def srv(priority: int, weight: int, port: int, target: str, ttl: int = 60) -> tuple[int, bytes]:
    return ttl, struct.pack(">HHH", priority, weight, port) + wire(target)


def txt(*texts: bytes, ttl: int = 60) -> tuple[int, bytes]:
    return ttl, b"".join(bytes([len(one)]) + one for one in texts)


def _asked(question: bytes) -> tuple[str, int]:
    """The name of a question, and where it ends."""
    labels, at = [], 12
    while size := question[at]:
        labels.append(question[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels), at + 1


class Server(threading.Thread):
    """Answers by UDP and TCP at one port until it is stopped; what it was asked is in ``asked``."""

    def __init__(self, zone: Zone, *, only_by_tcp: bool = False) -> None:
        super().__init__(daemon=True)
        self.zone, self._only_by_tcp = zone, only_by_tcp
        self.asked: list[tuple[str, int, str]] = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self.port: int = self._udp.getsockname()[1]
        self._tcp = socket.create_server(("127.0.0.1", self.port))
        self._over = threading.Thread(target=self._streams, daemon=True)

    def run(self) -> None:
        self._over.start()
        while True:
            question, peer = self._udp.recvfrom(4096)
            if question == b"stop":
                return
            self._udp.sendto(self.answer(question, "udp"), peer)

    def _streams(self) -> None:
        while True:
            stream, _ = self._tcp.accept()
            with stream:
                head = stream.recv(2, socket.MSG_WAITALL)
                if len(head) < 2:
                    return
                (size,) = struct.unpack(">H", head)
                answer = self.answer(stream.recv(size, socket.MSG_WAITALL), "tcp")
                stream.sendall(struct.pack(">H", len(answer)) + answer)

    def answer(self, question: bytes, way: str) -> bytes:
        (number,) = struct.unpack_from(">H", question)
        name, at = _asked(question)
        (kind,) = struct.unpack_from(">H", question, at)
        self.asked.append((name, kind, way))
        found = self.zone.get((name, kind))
        asked = question[12 : at + 4]
        if isinstance(found, bytes):
            return struct.pack(">H", number) + found
        code = 0 if any(known == name for known, _ in self.zone) else 3
        flags = 0x8180 | code | (0x0200 if self._only_by_tcp and way == "udp" else 0)
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data for ttl, data in found or ()
        )
        if flags & 0x0200:
            return struct.pack(">HHHHHH", number, flags, 1, 0, 0, 0) + asked
        return struct.pack(">HHHHHH", number, flags, 1, len(found or ()), 0, 0) + asked + records

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"stop", ("127.0.0.1", self.port))
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in (self, self._over):
            thread.join(5)
        self._udp.close()
        self._tcp.close()


@contextmanager
def serving(zone: Zone, *, only_by_tcp: bool = False) -> Iterator[Server]:
    server = Server(zone, only_by_tcp=only_by_tcp)
    server.start()
    try:
        yield server
    finally:
        server.stop()


NAME = "_sflow._udp.example.org"
WHOLE: Zone = {
    (NAME, SRV): [srv(1, 0, 6344, "b.example.org", 90), srv(0, 5, 6343, "a.example.org", 90)],
    (NAME, TXT): [txt(b"txtvers=1", b"polling=20"), txt(b"sampling.10G=5000", ttl=60)],
}
SERVICES = {Service(1, 0, 6344, "b.example.org."), Service(0, 5, 6343, "a.example.org.")}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\nsearch example.net example.org\n")
    return path


def test_services_and_settings_are_asked_for(conf: Path) -> None:
    with serving(WHOLE) as server:
        found = look_up("example.org", str(conf), server.port)
    assert found.texts is not None
    assert (set(found.services), set(found.texts)) == (SERVICES, {b"txtvers=1", b"polling=20", b"sampling.10G=5000"})
    assert (found.ttl, found.error) == (60, "")
    assert {asked[0] for asked in server.asked} == {NAME}


def test_without_a_domain_the_search_list_is_gone_through(conf: Path) -> None:
    with serving(WHOLE) as server:
        assert set(look_up("", str(conf), server.port).services) == SERVICES
    assert ("_sflow._udp.example.net", SRV, "udp") in server.asked


def test_what_does_not_fit_comes_by_tcp(conf: Path) -> None:
    many = [srv(0, 0, port, "a.example.org") for port in range(1, 500)]
    with serving({(NAME, SRV): many}, only_by_tcp=True) as server:
        found = look_up("example.org", str(conf), server.port)
    assert len(found.services) == 499
    assert (NAME, SRV, "tcp") in server.asked


@pytest.mark.parametrize("zone", [{}, {("_sflow._udp.example.org", 1): []}])
def test_where_there_is_nothing_it_is_nothing(conf: Path, zone: Zone) -> None:
    with serving(zone) as server:
        assert look_up("example.org", str(conf), server.port) == Answer()


#: What a server may answer after the number of the question: refusal, failure, cut off, a loop in a name, nonsense.
BROKEN = {
    "refused": struct.pack(">HHHHH", 0x8185, 0, 0, 0, 0),
    "failed": struct.pack(">HHHHH", 0x8182, 0, 0, 0, 0),
    "cut off": struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + wire(NAME) + struct.pack(">HH", SRV, 1) + b"\xc0",
    "loop": struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + wire(NAME) + struct.pack(">HH", SRV, 1) + b"\xc0\x2b" * 20,
    "nothing": b"",
    "nonsense": bytes(range(256)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_a_reason_in_one_line(conf: Path, name: str) -> None:
    with serving({(NAME, SRV): BROKEN[name], (NAME, TXT): [txt(b"polling=20")]}) as server:
        found = look_up("example.org", str(conf), server.port, seconds=0.5)
    assert found.error
    assert "\n" not in found.error
    assert len(found.error) <= 200
    assert found == Answer(error=found.error)


def test_broken_settings_leave_the_collectors(conf: Path) -> None:
    with serving({**WHOLE, (NAME, TXT): BROKEN["refused"]}) as server:
        found = look_up("example.org", str(conf), server.port, seconds=0.5)
    assert (set(found.services), found.texts, found.ttl) == (SERVICES, None, 90)


@pytest.mark.parametrize("domain", ["a..b", "x" * 70, "\udcff"])
def test_what_is_no_domain_is_a_reason(conf: Path, domain: str) -> None:
    assert look_up(domain, str(conf), 1).error


def test_where_nobody_answers_or_nobody_is_to_be_asked_it_is_a_reason(tmp_path: Path, conf: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert "time" in look_up("example.org", str(conf), silent.getsockname()[1], seconds=0.2).error
    assert look_up("example.org", str(tmp_path / "none")).error


# -- again and again


def waited(resolving: Resolving, now: float) -> bool:
    """Whether something else is found, once the question that is due at that time is answered."""
    until = time.monotonic() + 10
    trouble = resolving.trouble
    changed = resolving.tick(now)
    while not changed and resolving.trouble == trouble and time.monotonic() < until:
        changed = resolving.tick(now)
    return changed


def found_by(resolving: Resolving) -> Found | None:
    return resolving.found


def answers(*given: Answer) -> Callable[[str], Answer]:
    left = iter(given)
    return lambda _: next(left)


ONE = Answer((Service(0, 0, 1, "a."),), ttl=60)


def test_it_is_asked_when_it_is_due() -> None:
    resolving = Resolving("example.org", 0, answers(ONE, Answer(error="refused"), Answer()), delay=5)
    assert not resolving.tick(4.9)
    assert resolving.found is None
    assert waited(resolving, 5)
    assert (found_by(resolving), resolving.trouble) == (Found((Collector("a", 1),)), "")
    assert not resolving.tick(64)
    assert not waited(resolving, 65)
    assert resolving.trouble == "_sflow._udp.example.org: refused"
    assert not resolving.tick(364)
    assert waited(resolving, 365)
    assert found_by(resolving) == Found()


def test_a_question_that_ends_in_an_error_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def broken(domain: str) -> Answer:
        raise RuntimeError(domain)

    resolving = Resolving("example.org", 0, broken, delay=0)
    assert not waited(resolving, 0)
    assert resolving.trouble == "_sflow._udp.example.org: the question failed"


def test_the_first_question_is_asked_within_half_a_minute() -> None:
    resolving = Resolving("", 0, answers(ONE))
    assert waited(resolving, 30)


def test_the_servers_answer_becomes_collectors_and_settings(conf: Path) -> None:
    with serving(WHOLE) as server:
        resolving = Resolving("", 0, lambda domain: look_up(domain, str(conf), server.port), delay=0)
        assert waited(resolving, 0)
    assert resolving.found is not None
    assert resolving.found.collectors == (Collector("a.example.org"), Collector("b.example.org", 6344))
    assert resolving.found.values["polling"] == 20
