# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import time
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer
from threading import Event, Thread

import pytest
from tests import cgroups

from fleutan.errors import FleutanError
from fleutan.linux.unixhttp import get
from fleutan.sources.counters.entities.kinds import CONTAINER, POD, UNIT, Entity
from fleutan.sources.counters.entities.names import Names, Places

ID = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899"
OTHER = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
UID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
WEB = Entity(CONTAINER, ID, f"/docker/{ID}", ID[:12], "docker")
DB = Entity(CONTAINER, OTHER, f"/docker/{OTHER}", OTHER[:12], "docker")
LXC = Entity(CONTAINER, "lxc/web", "/lxc/web", "web", "lxc")
SHOP = Entity(POD, UID, "/kubepods/x", UID, pod=UID)
UNIT_ = Entity(UNIT, "/a.service", "/a.service", "a.service")
ANSWERS: dict[str, bytes] = {}


class _Docker(StreamRequestHandler):
    """Answers as Docker's Engine API documents it."""

    def handle(self) -> None:
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        body = self.server.answers.get(target)  # type: ignore[attr-defined]
        status = "404 Not Found" if body is None else "200 OK"
        self.wfile.write(f"HTTP/1.0 {status}\r\nApi-Version: 1.50\r\n\r\n".encode() + (body or b'{"message":"no"}'))


class Docker(UnixStreamServer):
    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Docker)
        self.answers: dict[str, bytes] = {}


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    server = Docker(tmp_path / "docker.sock")
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def containers(*pairs: tuple[str, str]) -> bytes:
    told = [{"Id": number, "Names": [f"/{name}"], "Image": "nginx:1", "State": "running"} for number, name in pairs]
    return json.dumps(told).encode()


class Asked:
    """Names that are waited for."""

    def __init__(self, root: Path, *sockets: Path, hostnames: bool = False, get: object = get) -> None:
        self.now = 0.0
        places = Places([str(path) for path in sockets], str(root), str(root / "proc"), get)  # type: ignore[arg-type]
        self.names = Names(lambda path: 7 if path == WEB.path else None, hostnames, places, lambda: self.now)

    def about(self, *entities: Entity) -> dict[str, str]:
        """What they are called after whoever is asked has answered."""
        found = {entity.key: entity for entity in entities}
        self.now += 1000
        self.names.look(found)
        deadline = time.monotonic() + 10
        while self.names._asking.is_asking():
            assert time.monotonic() < deadline
            Event().wait(0.001)
        return {entity.name: self.names.of(entity).text for entity in entities}

    def labels(self, entity: Entity) -> dict[str, str]:
        return dict(self.names.of(entity).labels)


def test_without_anybody_they_are_called_by_what_the_path_says(tmp_path: Path) -> None:
    asked = Asked(tmp_path, tmp_path / "nobody.sock")
    assert asked.about(WEB, LXC, SHOP, UNIT_) == {ID[:12]: ID[:12], "web": "web", UID: UID, "a.service": "a.service"}
    assert asked.labels(WEB) == {"container": ID[:12], "container_id": ID[:12], "runtime": "docker"}
    assert asked.labels(LXC) == {"container": "web", "runtime": "lxc"}
    assert asked.labels(SHOP) == {"pod": UID, "pod_uid": UID}
    assert asked.labels(UNIT_) == {"unit": "a.service"}
    assert asked.names.notes() == []


def test_by_dockers_api(tmp_path: Path, docker: Docker) -> None:
    docker.answers["/containers/json"] = containers((ID, "web"), (OTHER, "db"), ("f" * 64, "not asked for"))
    asked = Asked(tmp_path, tmp_path / "docker.sock")
    assert asked.about(WEB, DB) == {ID[:12]: "web", OTHER[:12]: "db"}
    assert asked.labels(WEB) == {
        "container": "web",
        "container_id": ID[:12],
        "runtime": "docker",
        "image": "nginx:1",
    }
    assert set(asked.names._asking.answer.containers) == {ID, OTHER}
    assert asked.about(WEB) == {ID[:12]: "web"}
    assert set(asked.names._asking.answer.containers) == {ID}


def test_by_what_they_call_themselves(tmp_path: Path, docker: Docker) -> None:
    docker.answers["/containers/json"] = containers((ID, "web"), (OTHER, "db"))
    docker.answers[f"/containers/{ID}/json"] = json.dumps({"Config": {"Hostname": "shop-1"}}).encode()
    asked = Asked(tmp_path, tmp_path / "docker.sock", hostnames=True)
    assert asked.about(WEB, DB) == {ID[:12]: "shop-1", OTHER[:12]: "db"}
    del docker.answers[f"/containers/{ID}/json"]
    docker.answers[f"/containers/{OTHER}/json"] = json.dumps({"Config": {"Hostname": "shop-2"}}).encode()
    assert asked.about(WEB, DB) == {ID[:12]: "shop-1", OTHER[:12]: "shop-2"}, "each is asked about once"


def test_an_engine_that_goes_or_talks_nonsense_is_noted_and_names_stay(tmp_path: Path, docker: Docker) -> None:
    docker.answers["/containers/json"] = containers((ID, "web"))
    asked = Asked(tmp_path, tmp_path / "docker.sock")
    asked.about(WEB)
    for answer in (b"{", b'{"message": "no"}', b"[1, {}, null]", b"[" * 100_000):
        docker.answers["/containers/json"] = answer
        assert asked.about(WEB, DB) == {ID[:12]: "web", OTHER[:12]: OTHER[:12]}
        if answer != b"[1, {}, null]":
            assert asked.names.notes() == [
                f"names of containers: {tmp_path}/docker.sock: its answer is no "
                + ("list of containers" if answer.startswith(b'{"') else "JSON")
            ]
    docker.answers.clear()
    asked.about(WEB)
    assert asked.names.notes() == [
        f"names of containers: {tmp_path}/docker.sock: /containers/json is answered with 404"
    ]
    docker.shutdown()
    docker.server_close()
    assert asked.about(WEB) == {ID[:12]: "web"}
    assert "connection refused" in asked.names.notes()[0]


def test_an_engine_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    released = Event()

    def hangs(path: str, target: str) -> bytes:
        released.wait(10)
        raise FleutanError(f"{path}: it does not answer in time")

    (tmp_path / "docker.sock").touch()
    asked = Asked(tmp_path, tmp_path / "docker.sock", get=hangs)
    began = time.monotonic()
    for _ in range(100):
        asked.now += 100
        asked.names.look({ID: WEB})
        assert asked.names.of(WEB).text == ID[:12]
    assert time.monotonic() - began < 5
    released.set()
    asked.about(WEB)
    assert asked.names.notes() == [f"names of containers: {tmp_path}/docker.sock: it does not answer in time"]


def test_by_files_where_no_engine_answers(tmp_path: Path) -> None:
    said = {"annotations": {"io.kubernetes.cri.container-name": "nginx"}}
    cgroups.tree(
        tmp_path,
        {
            f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{OTHER}/config.json": json.dumps(said),
            f"var/log/pods/shop_web-0_{UID}/nginx/0.log": "",
            "proc/7/root/etc/hostname": "inner\n",
        },
    )
    asked = Asked(tmp_path)
    assert asked.about(WEB, DB, LXC, SHOP) == {ID[:12]: "inner", OTHER[:12]: "nginx", "web": "web", UID: "web-0"}
    assert asked.labels(SHOP) == {"pod": "web-0", "namespace": "shop", "pod_uid": UID}


def test_by_podmans_files(tmp_path: Path) -> None:
    told = json.dumps([{"id": ID, "names": ["db"]}])
    cgroups.tree(tmp_path, {"var/lib/containers/storage/overlay-containers/containers.json": told})
    assert Asked(tmp_path).about(WEB) == {ID[:12]: "db"}


def test_what_fails_unexpectedly_is_noted(tmp_path: Path) -> None:
    def fails(path: str, target: str) -> bytes:
        raise ZeroDivisionError("unexpected")

    (tmp_path / "docker.sock").touch()
    asked = Asked(tmp_path, tmp_path / "docker.sock", get=fails)
    assert asked.about(WEB) == {ID[:12]: ID[:12]}
    assert asked.names.notes() == ["ZeroDivisionError: unexpected"]


def test_nobody_is_asked_about_units(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    asked.about(UNIT_)
    assert asked.names._asking.answers == 0
