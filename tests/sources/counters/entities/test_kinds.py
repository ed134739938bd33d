# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid

import pytest

from fleutan.sources.counters.entities.kinds import CONTAINER, POD, UNIT, Choice, Entity, begun, identity

ID = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899"
UID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
POD_SLICE = f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice"
HOST = uuid.UUID("11111111-2222-3333-4444-555555555555").bytes


def chain(path: str) -> list[Entity]:
    """What is around the innermost group of a path, outermost first."""
    around: list[Entity] = []
    at = 0
    while at != -1:
        at = path.find("/", at + 1)
        entity = begun(path if at == -1 else path[:at], around)
        around += [entity] if entity else []
    return around


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("/system.slice", []),
        ("/system.slice/apache2.service", [(UNIT, "apache2.service")]),
        ("/system.slice/apache2.service/worker", [(UNIT, "apache2.service")]),
        ("/system.slice/system-getty.slice/getty@tty1.service", [(UNIT, "getty@tty1.service")]),
        ("/user.slice/user-1.slice/user@1.service/app.slice/a.service", [(UNIT, "user@1.service")]),
        ("/user.slice/user-1.slice/session-2.scope", [(UNIT, "session-2.scope")]),
        ("/init.scope", [(UNIT, "init.scope")]),
        (f"/system.slice/docker-{ID}.scope", [(CONTAINER, ID[:12])]),
        (f"/docker/{ID}/system.slice/nginx.service", [(CONTAINER, ID[:12])]),
        (f"/user.slice/user@1.service/user.slice/libpod-{ID}.scope/container", [(UNIT, ""), (CONTAINER, ID[:12])]),
        ("/lxc.payload.web/system.slice/cron.service", [(CONTAINER, "web")]),
        (POD_SLICE, [(POD, UID)]),
        (f"{POD_SLICE}/cri-containerd-{ID}.scope", [(POD, UID), (CONTAINER, ID[:12])]),
        ("/system.slice/dev-hugepages.mount", []),
    ],
)
def test_what_is_in_a_path(path: str, kinds: list[tuple[str, str]]) -> None:
    found = chain(path)
    assert [entity.kind for entity in found] == [kind for kind, _ in kinds]
    assert all(entity.name == name for entity, (_, name) in zip(found, kinds, strict=True) if name)
    assert all(path.startswith(entity.path) for entity in found)


def test_keys_stay_the_same() -> None:
    assert chain(f"/system.slice/docker-{ID}.scope")[0].key == ID
    assert chain("/lxc/web")[0].key == "lxc/web"
    assert chain("/system.slice/a.service/x")[0].key == "/system.slice/a.service"


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (Choice(), ["a.service", "web", UID]),
        (Choice(scopes=True), ["a.service", "b.scope", "web", UID]),
        (Choice(pods=False), ["a.service", "web", "inner"]),
        (Choice(services=False, containers=False), [UID]),
        (Choice(containers=False, pods=False), ["a.service"]),
    ],
)
def test_what_is_told(choice: Choice, told: list[str]) -> None:
    entities = [
        Entity(UNIT, "/a.service", "/a.service", "a.service"),
        Entity(UNIT, "/b.scope", "/b.scope", "b.scope"),
        Entity(CONTAINER, "lxc/web", "/lxc/web", "web"),
        Entity(CONTAINER, ID, "/p/x", "inner", pod=UID),
        Entity(POD, UID, "/p", UID, pod=UID),
    ]
    assert [entity.name for entity in entities if choice.holds(entity)] == told


def test_identities() -> None:
    assert identity(chain(f"/docker/{ID}")[0], HOST).hex() == ID[:32]
    assert identity(chain(POD_SLICE)[0], HOST).hex() == UID.replace("-", "")
    unit = chain("/system.slice/a.service")[0]
    found = uuid.UUID(bytes=identity(unit, HOST))
    assert found.version == 5
    assert found == uuid.uuid5(uuid.UUID(bytes=HOST), "unit:/system.slice/a.service")
    assert identity(unit, bytes(16)) != found.bytes
    assert identity(chain("/lxc/web")[0], b"") == identity(chain("/lxc/web")[0], bytes(16))
    hexadecimal = Entity(UNIT, "a" * 32, "/x", "x")
    assert identity(hexadecimal, HOST) != bytes.fromhex("a" * 32)
