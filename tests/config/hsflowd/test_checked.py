# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ipaddress import ip_network

import pytest

from fleutan.config.agents import Application, Prefix
from fleutan.config.hsflowd.checked import Checked, check, unused
from fleutan.config.hsflowd.grammar import BLOCKS
from fleutan.config.hsflowd.tree import parse
from fleutan.errors import UsageError

PATH = "/etc/hsflowd.conf"


def said(text: str) -> Checked:
    return check(parse(f"sflow {{\n{text}\n}}", PATH), PATH)


def wrong(text: str) -> str:
    with pytest.raises(UsageError) as raised:
        said(text)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_values_have_their_places_and_the_last_counts() -> None:
    found = said("polling=20\nPOLLING 30\ncounterPollingInterval=40")
    assert (found.top.get("polling"), found.top.places["polling"]) == (40, f"{PATH}:4")
    assert found.top.get("sampling", 7) == 7


def test_networks_add_up() -> None:
    found = said("agent.cidr=10.0.0.0/8\nagent.cidr=!192.0.2.0/24").top.get("agent.cidr")
    assert found == (Prefix(ip_network("10.0.0.0/8")), Prefix(ip_network("192.0.2.0/24"), True))


def test_blocks_may_come_again_and_their_names_are_not_told_apart_by_case() -> None:
    found = said("collector { ip=192.0.2.1 }\nCOLLECTOR { IP=192.0.2.2 UDPport=7 }\npcap {}")
    assert [block.get("ip") for block in found.of("collector")] == ["192.0.2.1", "192.0.2.2"]
    assert [block.name for block in found.of("pcap", "collector", "tcp")] == ["pcap", "collector", "collector"]
    assert found.of("collector")[1].place == f"{PATH}:3"


def test_speeds_are_told_from_names_of_applications() -> None:
    found = said("sampling.10G=5\nsampling.2.5g=6\nsampling.app.shop=7\npolling.app.shop=8\nsampling.http=9")
    assert found.speeds == {10**10: 5, 2_500_000_000: 6}
    assert found.applications == {"app.shop": Application(7, 8), "http": Application(9)}
    assert found.top.places == {"sampling.": f"{PATH}:2", "applications": f"{PATH}:5"} | {"sampling.": f"{PATH}:2"}


def test_a_ratio_is_no_application() -> None:
    assert said("sampling.bps_ratio=0").top.get("sampling.bps_ratio") == 0


def test_what_makes_no_difference_is_named_with_its_line() -> None:
    found = said("loopback=on\nmodules=/usr/lib\ndropmon { group=1 }\nnlroute { limit=50 }")
    assert found.remarks == [
        f"{PATH}:2: loopback makes no difference: hsflowd ignores it, too",
        f"{PATH}:3: modules makes no difference: there are no modules to load",
        f"{PATH}:4: group makes no difference: hsflowd ignores it, too",
        f"{PATH}:5: nlroute {{ }} makes no difference: links and addresses are always followed",
    ]


@pytest.mark.parametrize("name", sorted(name for name, rule in BLOCKS.items() if rule.unsupported))
def test_what_is_not_supported_is_named_with_its_line_whatever_is_in_it(name: str) -> None:
    found = said(f"polling=20\n{name} {{ whatever=1 port {{ dev=x }} }}")
    (remark,) = found.remarks
    assert remark.startswith(f"{PATH}:3: {name} {{ }} is not supported: ")
    assert found.of(name) == []


def test_what_is_never_closed_is_named() -> None:
    found = check(parse("sflow {\ncollector { ip=192.0.2.1", PATH), PATH)
    assert found.remarks == [f"{PATH}:1: sflow {{ is never closed", f"{PATH}:2: collector {{ is never closed"]


WRONG = [
    ("poling=20", "2: sflow { } has no option 'poling'; did you mean polling?"),
    ("collectors { }", "2: sflow { } has no block 'collectors'; did you mean collector?"),
    ("pcap { promsc=on }", "2: pcap { } has no option 'promsc'; did you mean promisc?"),
    ("nvml { x=1 }", "2: nvml { } has no option 'x'; there are none"),
    ("tcp { zzz=1 }", "there are tunnel, udp, dump"),
    ("\npolling=x", "3: polling: 'x' is not a whole number from 0 to 300"),
    ("polling=301", "2: polling: '301' is not a whole number from 0 to 300"),
    ("sampling.10X=5", "2: '10X' is not a speed in bits a second"),
    ("sampling.10G=x", "2: sampling.10G: 'x' is not a whole number"),
    ("sampling.=5", "2: a speed or a name is expected behind sampling."),
    ("polling.app.a=301", "2: polling.app.a: '301' is not a whole number from 0 to 300"),
    ("pcap { dev.pattern=/(/ }", "2: dev.pattern: '(' is not a regular expression"),
    ("collector {\nport { dev=x } }", "3: collector { } has no blocks in it"),
    ("tcp { udp=1 }", "2: udp: '1' is not on or off"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_mistake_is_one_line_with_its_place(text: str, message: str) -> None:
    found = wrong(text)
    assert found.startswith(f"{PATH}:")
    assert message in found


def test_options_that_count_only_beside_a_block_are_named() -> None:
    text = "nflogGroup=5\nnflogProbability=0.1\nDNSSD_domain=.x"
    assert list(unused(said(text))) == [
        *(f"{PATH}:{line}: it counts only with nflog {{ }}" for line in (2, 3)),
        f"{PATH}:4: it counts only with dns-sd {{ }}",
    ]
    assert list(unused(said(text + "\nnflog {} DNSSD=on"))) == []
    assert list(unused(said(text + "\nnflog {} dns-sd {}"))) == []
    assert list(unused(said("polling=20"))) == []
