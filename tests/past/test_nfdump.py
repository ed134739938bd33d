# SPDX-License-Identifier: Apache-2.0
"""The same datagrams, asked by nfdump: where both mean the same, they say the same to the unit."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.captures import CAPTURES
from tests.exporting import AT_NS, flows
from tests.nfdump import listed, needs_nfdump, nfdump, received
from tests.past.conftest import rows
from tests.past.exported import exported, filled, needs_softflowd

from fleutan.fields import PROTOS
from fleutan.protocols.netflow.encoding import Sender, encode
from fleutan.protocols.netflow.encoding_5 import encode_5
from fleutan.protocols.netflow.shapes import Moment
from fleutan.records import Records, take

pytestmark = needs_nfdump
#: When the flows are told; the exporter began some hours before.
AT = Moment(AT_NS, 20_000_000)
ALL: dict[str, Any] = {"start": 0, "end": 9_000_000_000}
NAMES = ("mixed", "http", "dns", "smtp", "ssdp", "ntp", "mqtt", "netbios")

_IPV4 = [f"10.{number % 3}.0.{number}" for number in range(40)]
_IPV6 = [f"2001:db8::{number}" for number in range(9)]


class Both(NamedTuple):
    """A lake, and a folder of nfcapd's, of the same datagrams."""

    lake: Path
    folder: Path


def made(many: int = 3000) -> Records:
    """Flows of both families: many of few hosts, ports that are the same at both ends too."""
    chance = random.Random(4)  # noqa: S311
    ends: list[tuple[str, str]] = []
    for _ in range(many):
        hosts = (
            [f"10.{n % 3}.0.{n}" for n in range(40)] if chance.random() < 0.8 else [f"2001:db8::{n}" for n in range(9)]
        )
        ends.append((chance.choice(hosts), chance.choice(hosts)))
    protos = [chance.choice([6, 6, 17, 1]) for _ in range(many)]
    ports = [[0 if proto == 1 else chance.choice([53, 80, 443, 123, 5000]) for proto in protos] for _ in "sd"]
    starts = [AT_NS - chance.randrange(3_000_000) * 1_000_000 for _ in range(many)]
    return flows(
        src=[src for src, _ in ends],
        dst=[dst for _, dst in ends],
        sport=ports[0],
        dport=ports[1],
        proto=protos,
        start=starts,
        end=[start + chance.randrange(20_000) * 1_000_000 for start in starts],
        packets=[chance.randrange(1, 1000) for _ in range(many)],
        bytes=[chance.randrange(40, 10_000_000) for _ in range(many)],
        tcp_flags=[chance.randrange(64) if proto == 6 else 0 for proto in protos],
        in_if=[chance.randrange(1, 5) for _ in range(many)],
    )


@pytest.fixture(
    scope="module",
    params=[pytest.param("softflowd", marks=needs_softflowd), "netflow 9", "ipfix", "netflow 5, sampled"],
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Of recorded packets that softflowd made flows of, and of flows that are made here."""
    if request.param == "softflowd":
        if not CAPTURES.is_dir():
            pytest.skip(f"no captures at {CAPTURES}")
        datagrams = exported(CAPTURES / "traffic" / f"{name}.pcap" for name in NAMES)
    elif request.param == "netflow 5, sampled":
        some = made()
        datagrams = encode_5(take(some, some.values["src"][:, 0] == 0), AT, 100)[0].datagrams
    else:
        datagrams = encode(Sender(9 if request.param == "netflow 9" else 10, 7), made(), AT).datagrams
    where = tmp_path_factory.mktemp("both")
    return Both(filled(where / "lake", datagrams), received(where / "nfcapd", datagrams))


def counts(found: list[dict[str, str]], key: str = "val") -> dict[str, tuple[int, int, int]]:
    """Flows, packets and bytes of nfdump's statistic by its key."""
    return {row[key].strip(): (int(row["fl"]), int(row["pkt"]), int(row["byt"])) for row in found}


def ours(lake: Path, key: str, filter_: str = "", **words: Any) -> dict[str, tuple[int, int, int]]:
    found = rows(lake, "talkers", filter_, keys=key, measures="flows,packets,bytes", topn=0, **ALL, **words)
    return {str(row[key]): (row["flows"], row["packets"], row["bytes"]) for row in found}


def number(word: str | None) -> str:
    words = {name: str(code) for code, name in PROTOS.items()}
    return words.get(word or "", (word or "0").removeprefix("proto-"))


def test_the_whole(both: Both) -> None:
    found = [list(map(int, row)) for row in listed(both.folder, "%pkt,%byt")]
    (whole,) = rows(both.lake, "talkers", keys="kind", topn=0, **ALL)
    assert (whole["flows"], whole["packets"], whole["bytes"]) == (len(found), *map(sum, zip(*found, strict=True)))
    assert sum(row["bytes"] for row in rows(both.lake, "traffic", interval=60, **ALL)) == whole["bytes"]
    assert whole["flows"] > 100


def test_by_protocol(both: Both) -> None:
    found = {number(word): told for word, told in ours(both.lake, "proto").items()}
    assert found == counts(nfdump(both.folder, "-s", "proto/bytes", "-n", "0"))
    shares = rows(both.lake, "protocol", interval="10000d", **ALL)
    assert {number(row["proto"]): (row["packets"], row["bytes"]) for row in shares} == {
        word: told[1:] for word, told in found.items()
    }


@pytest.mark.parametrize(("side", "statistic"), [("src", "srcip"), ("dst", "dstip")])
def test_top_addresses(both: Both, side: str, statistic: str) -> None:
    theirs = counts(nfdump(both.folder, "-s", f"{statistic}/bytes", "-n", "0"))
    words: dict[str, Any] = {f"use_{side}": ""}
    found = rows(both.lake, "topaddr", topn=0, **ALL, **words)
    told = {row["address"]: (row["packets"], row["bytes"]) for row in found}
    nobody = dict.fromkeys(("::", "0.0.0.0"), (0, 0))  # noqa: S104  # which nfdump takes for one
    assert told | nobody == {word: one[1:] for word, one in theirs.items()} | nobody
    assert {**ours(both.lake, side), **nobody} == {**theirs, **nobody}
    ranked = [int(row["byt"]) for row in nfdump(both.folder, "-s", f"{statistic}/bytes", "-n", "5")]
    assert [row["bytes"] for row in rows(both.lake, "topaddr", topn=5, **ALL, **words)] == ranked


def test_top_ports(both: Both) -> None:
    """nfdump counts a flow once whose ports are the same; here each of its ends is counted."""
    theirs = nfdump(both.folder, "-s", "port:p/bytes", "-n", "0", "proto tcp or proto udp")
    same: Counter[tuple[str, str]] = Counter()
    for proto, src, dst, octets in listed(both.folder, "%pr,%sp,%dp,%byt", "proto tcp or proto udp"):
        same[proto.lower(), src] += int(octets) * (src == dst)
    found = {(row["proto"], str(row["port"])): row["bytes"] for row in rows(both.lake, "topports", topn=0, **ALL)}
    words = {"6": "tcp", "17": "udp"}
    assert found == {
        (words[row["pr"].strip()], row["val"]): int(row["byt"]) + same[words[row["pr"].strip()], row["val"]]
        for row in theirs
    }
    sides = counts(nfdump(both.folder, "-s", "dstport/bytes", "-n", "0", "proto tcp or proto udp"))
    assert ours(both.lake, "dport", "tcp or udp") == sides


def test_flows_one_by_one(both: Both) -> None:
    """Ends, times, counts; nfdump shows ICMP's type and code as port."""
    theirs = listed(both.folder, "%ts,%te,%pr,%sa,%sp,%da,%dp,%pkt,%byt", "proto tcp or proto udp")
    found = [
        [
            *(stamp(row["start"]), stamp(row["end"]), number(row["proto"]), row["src"], str(row["sport"])),
            *(row["dst"], str(row["dport"]), str(row["packets"]), str(row["bytes"])),
        ]
        for row in rows(both.lake, "tuple", "tcp or udp", **ALL)
    ]
    assert sorted(found) == sorted(theirs)


def stamp(at_ns: int) -> str:
    """As nfdump writes it, without blanks."""
    return str(np.datetime64(at_ns, "ns").astype("datetime64[ms]")).replace("T", "")


@pytest.mark.parametrize("keys", [("src", "dport"), ("src", "dst"), ("proto", "dst")])
def test_any_keys(both: Both, keys: tuple[str, ...]) -> None:
    words = {"src": "srcip", "dst": "dstip", "dport": "dstport", "proto": "proto"}
    fields = {"src": "%sa", "dst": "%da", "dport": "%dp", "proto": "%pr"}
    form = ",".join([*(fields[key] for key in keys), "%fl", "%pkt", "%byt"])
    theirs = listed(both.folder, form, "-A", ",".join(words[key] for key in keys), "proto tcp or proto udp")
    found = rows(both.lake, "talkers", "tcp or udp", keys=",".join(keys), measures="flows,packets,bytes", topn=0, **ALL)
    plain = [[number(value) if key == "proto" else str(value) for key, value in row.items()] for row in found]
    assert sorted(plain) == sorted(theirs)


#: Filters of ours, and nfdump's.
FILTERS = [
    ("host {}", "host {}"),
    ("src {} and tcp", "src ip {} and proto tcp"),
    ("dst {} or udp", "dst ip {} or proto udp"),
    ("not host {}", "not host {}"),
    ("net 10.0.0.0/16", "net 10.0.0.0/16"),
    ("src 2001:db8::/64", "src net 2001:db8::/64"),
    ("dport 53:443", "dst port >= 53 and dst port <= 443"),
    ("bytes > 100000", "bytes > 100000"),
    ("packets < 20", "packets < 20"),
    ("input 3", "in if 3"),
    ("tcp and tcp_flags 2/2", "proto tcp and flags S"),
]


@pytest.mark.parametrize(("text", "theirs"), FILTERS)
def test_filters(both: Both, text: str, theirs: str) -> None:
    host = rows(both.lake, "topaddr", topn=1, use_src="", **ALL)[0]["address"]
    found = [list(map(int, row)) for row in listed(both.folder, "%pkt,%byt", theirs.format(host))]
    told = rows(both.lake, "talkers", text.format(host), keys="kind", topn=0, **ALL)
    expected = [(len(found), *map(sum, zip(*found, strict=True)))] if found else []
    assert [(row["flows"], row["packets"], row["bytes"]) for row in told] == expected
