# SPDX-License-Identifier: Apache-2.0
"""Files as they are, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config import LARGEST
from fleutan.config.hsflowd import SYSTEM, Settings, load, read
from fleutan.errors import UsageError
from fleutan.sources.collectors import Collector

#: A file that has something of everything.
WHOLE = """# hsflowd
sFlow {
  DNS-SD { domain = .example.org }
  agent.cidr = 192.168.0.0/16
  agent = eth0
  polling = 20
  sampling = 400; sampling.bps_ratio = 1000000
  sampling.100M=100  sampling.app.myapp = 10K
  collector { ip=127.0.0.1 udpport=6343 }
  collector{ip="2001:db8::1" dev=eth0 namespace=blue}
  pcap { dev = docker0 }
  pcap { speed=1G-1T }
  pcap { dev.pattern=/eth[0-9]{1,2}/ }
  nflog { group = 5  probability = 0.0025 }
  psample { group=1 egress=on }
  dent { sw=on switchport=enp.* }
  dropmon { start=on limit=50 hide="^(a|b){2}" }
  nvml { } xen { } ovs { } kvm { } docker { } dbus { } eapi { }
  tcp { tunnel=on }
  systemd { dropPriv = off }
  opx { port { dev = x } }
}
"""


def result(text: str) -> Settings | str:
    try:
        return read(text, "x")
    except UsageError as error:
        return str(error)


def test_a_whole_file_is_read() -> None:
    found = read(WHOLE, "x")
    assert found.agent.collectors == (Collector("127.0.0.1"), Collector("2001:db8::1", 6343, "eth0", "blue"))
    assert found.agent.packets.source == ("auto", "psample", "nflog")
    assert found.agent.drops.hide == "^(a|b){2}"
    named = [remark.split(":")[2].split()[0] for remark in found.remarks if "not supported" in remark]
    assert named == ["dent", "xen", "ovs", "kvm", "dbus", "eapi", "opx"]


def test_wherever_a_file_ends_it_is_read_or_refused_in_one_line() -> None:
    for end in range(len(WHOLE)):
        found = result(WHOLE[:end])
        if isinstance(found, str):
            assert found.startswith("x:")
            assert "\n" not in found
        else:
            assert "x:2: sflow { is never closed" in found.remarks or WHOLE[end:].strip() == ""


@given(st.integers(0, len(WHOLE) - 1), st.characters())
def test_whatever_character_is_wrong_it_is_read_or_refused_in_one_line(at: int, character: str) -> None:
    found = result(WHOLE[:at] + character + WHOLE[at + 1 :])
    assert isinstance(found, Settings) or (found.startswith("x:") and "\n" not in found)


PIECES = st.sampled_from(
    ["sflow", "{", "}", "=", '"', "/", "#", "\n", "pcap", "dev.pattern", "collector", "ip", "1", "\0", "ü"]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=30), st.sampled_from([" ", ""]))
def test_garbage_is_read_or_refused_in_one_line(pieces: list[str], between: str) -> None:
    found = result("sflow {" + between.join(pieces))
    assert isinstance(found, Settings) or (found.startswith("x:") and "\n" not in found)


def test_a_huge_file_of_options_is_read() -> None:
    many = "".join(f"sampling.app.a{number}=1\n" for number in range(20_000))
    found = read(f"sflow {{ collector {{ ip=192.0.2.1 }} {many} }}", "x")
    assert len(found.agent.applications) == 20_000


def test_a_file_is_found_and_named(tmp_path: Path) -> None:
    path = tmp_path / "hsflowd.conf"
    path.write_bytes(b"# caf\xe9\nsflow { collector { ip=192.0.2.1 } polling=x }")
    with pytest.raises(UsageError, match=rf"{path}:2: polling: 'x' is not a whole number"):
        load(path)
    path.write_bytes(b"sflow { collector { ip=192.0.2.1 } }")
    assert load(path).agent.collectors == (Collector("192.0.2.1"),)


@pytest.mark.parametrize(("size", "message"), [(None, "cannot be read: No such file"), (LARGEST + 1, "has more than")])
def test_what_is_no_file_of_that_kind_is_refused(tmp_path: Path, size: int | None, message: str) -> None:
    path = tmp_path / "hsflowd.conf"
    if size is not None:
        path.write_bytes(b" " * size)
    with pytest.raises(UsageError, match=message):
        load(path)


def test_it_is_where_hsflowd_has_it() -> None:
    assert Path("/etc/hsflowd.conf") == SYSTEM
