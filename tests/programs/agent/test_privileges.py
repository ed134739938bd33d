# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fleutan.config import Agent
from fleutan.config.agents import Place
from fleutan.config.sections import changed
from fleutan.errors import UsageError
from fleutan.linux import capabilities
from fleutan.linux.privileges import User
from fleutan.programs.agent.privileges import Privileges, _give, drop, lines, needs
from fleutan.sources.collectors import Collector

BARE = {
    "polling": 0,
    "owners": False,
    "packets.source": ("none",),
    "drops.on": False,
}
BPF = {"CAP_BPF", "CAP_PERFMON"}


def settings(**values: Any) -> Agent:
    return changed(Agent(), BARE | {key.replace("__", "."): value for key, value in values.items()})


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({}, set()),
        ({"packets__source": ("bpf",)}, BPF | {"CAP_NET_ADMIN"}),
        ({"packets__source": ("socket",)}, {"CAP_NET_RAW"}),
        ({"packets__source": ("auto",)}, BPF | {"CAP_NET_ADMIN", "CAP_NET_RAW"}),
        ({"packets__source": ("psample", "nflog")}, {"CAP_NET_ADMIN"}),
        ({"owners": True}, set()),
        (
            {"owners": True, "packets__source": ("socket",)},
            BPF | {"CAP_NET_RAW", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"},
        ),
        ({"drops__on": True, "drops__hardware": False}, BPF | {"CAP_SYSLOG"}),
        ({"drops__on": True, "drops__software": False}, {"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}),
        ({"polling": 1, "systemd": False, "containers": False}, {"CAP_NET_ADMIN"}),
        (
            {"polling": 1, "containers": False},
            BPF | {"CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"},
        ),
        (
            {"polling": 1, "systemd": False},
            BPF | {"CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"},
        ),
        ({"collectors": (Collector("192.0.2.1", 6343, "eth0"),)}, {"CAP_NET_RAW"}),
        ({"outputs__ipfix": (Collector("192.0.2.1", 4739, "", "blue"),)}, {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}),
        ({"outputs__statsd": Collector("192.0.2.1", 8125)}, set()),
        ({"outputs__metrics": Place("127.0.0.1", 443)}, {"CAP_NET_BIND_SERVICE"}),
        ({"outputs__metrics": Place("127.0.0.1", 9343)}, set()),
        ({"outputs__influx_token": Path("token")}, set()),
        ({"outputs__influx_token": Path("token"), "user": "nobody"}, {"CAP_DAC_READ_SEARCH"}),
    ],
)
def test_what_is_kept_follows_from_what_is_configured(values: dict[str, Any], kept: set[str]) -> None:
    assert set(needs(settings(**values))) == kept


def test_each_has_all_that_it_is_for_once() -> None:
    found = needs(settings(packets__source=("bpf",), drops__on=True))
    assert found["CAP_BPF"] == ["packets by BPF", "dropped packets"]
    assert found["CAP_NET_ADMIN"] == ["packets by BPF", "devices' own drops"]


def test_what_was_given_up_and_is_wanted_now_is_named() -> None:
    held = Privileges(frozenset({"CAP_NET_RAW"}), frozenset({"CAP_NET_RAW", "CAP_SYS_ADMIN"}))
    assert held.lacks(settings(packets__source=("socket",))) == []
    (lack,) = held.lacks(settings(drops__on=True, drops__software=False))
    assert lack == "devices' own drops: CAP_SYS_ADMIN was given up when the agent began; restart it"
    assert held.lacks(settings(user="nobody"))[0].startswith("user nobody: the agent is ")


def test_a_check_says_what_is_kept_and_what_is_missing() -> None:
    said = dict(lines(settings(packets__source=("auto",)), frozenset({"CAP_NET_RAW", "CAP_KILL", "CAP_CHOWN"})))
    assert said["CAP_NET_RAW"] == "kept, for packets by sockets"
    assert said["CAP_BPF"] == "missing, for packets by BPF"
    assert said["others"] == "2 are given up when it begins"
    assert said["user"].endswith(", as it is started")
    assert dict(lines(settings(user="root")))["user"] == "root, which it becomes"
    assert "others" not in dict(lines(settings(), frozenset()))
    with pytest.raises(UsageError, match="there is no user no-such-user"):
        lines(settings(user="no-such-user"))


def test_an_agent_gives_up_what_it_does_not_need() -> None:
    if capabilities.missing(("CAP_SETPCAP", "CAP_NET_RAW")):
        pytest.skip("needs CAP_SETPCAP and CAP_NET_RAW")
    with ThreadPoolExecutor(1) as one:
        held = one.submit(drop, settings(packets__source=("socket",))).result()
    assert held.kept == {"CAP_NET_RAW"}
    said = held.document()
    assert said["capabilities"] == ["CAP_NET_RAW"]
    assert said["given_up"] == len(held.before) - 1


def test_files_and_folders_are_given_to_the_user(tmp_path: Path) -> None:
    me = User("me", os.getuid(), os.getgid())
    victim, link, file, folder = (tmp_path / name for name in ("victim", "link", "file", "folder"))
    victim.touch()
    link.symlink_to(victim)
    folder.mkdir()
    if os.geteuid() == 0:
        me = User("nobody", 65534, 65534)
    file.touch()
    for path in (link, file, tmp_path / "none" / "file"):
        _give(path, me, os.O_WRONLY)
    _give(folder, me, os.O_DIRECTORY)
    assert file.stat().st_uid == folder.stat().st_uid == me.uid
    assert victim.stat().st_uid == os.getuid()
    assert not (tmp_path / "none").exists()


def test_a_user_that_is_there_is_given_what_is_written(tmp_path: Path) -> None:
    name = str(os.getuid())
    with ThreadPoolExecutor(1) as one:
        held = one.submit(drop, settings(user=name), {tmp_path / "state": "new"}, [tmp_path]).result()
    assert held.user == name
    assert held.kept == frozenset()
    assert (tmp_path / "state").read_text() == "new"


def test_a_folder_that_was_another_users_is_taken_back(tmp_path: Path) -> None:
    if capabilities.missing(("CAP_SETPCAP", "CAP_CHOWN")):
        pytest.skip("needs CAP_SETPCAP and CAP_CHOWN")
    os.chown(tmp_path, 65534, 65534)

    def begin() -> None:
        drop(settings(), {}, [tmp_path])
        (tmp_path / "status").write_text("there")  # without CAP_DAC_OVERRIDE

    with ThreadPoolExecutor(1) as one:
        one.submit(begin).result()
    assert tmp_path.stat().st_uid == os.geteuid()
