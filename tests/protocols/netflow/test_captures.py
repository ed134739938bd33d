# SPDX-License-Identifier: Apache-2.0
"""Datagrams of real exporters, and what nfdump, logstash, telegraf and tshark make of them."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv6Address
from typing import Any

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures
from tests.protocols.netflow.capturing import captured

from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.elements import element, field_9
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.netflow.messages import Message, messages
from fleutan.records import Records

pytestmark = needs_captures

FILES = {path.stem: path for folder in ("netflow", "ipfix") for path in sorted((CAPTURES / folder).glob("*.pcap"))}


def flows_of(capture: str) -> Records:
    return flows(decode(captured(FILES[capture]), State()))


def messages_of(capture: str) -> list[Message]:
    state = State()
    return messages(decode(captured(FILES[capture]), state), state)


# -- nfdump

#: Where nfdump is not right, or says it otherwise.
NFDUMP_EXCEPTIONS = {
    # Datagrams run together under a header that counts two records; nfdump reads on.
    "logstash_Netflow_5_valid_01": (2, 9, 534, "10.0.2.2:54435 -> 10.0.2.15:22 p6 pk 5 by 230"),
    # The message says to be two octets shorter than its last set; telegraf reads both records too.
    "telegraf_issue_14370": (2, 2, 512, "0.0.0.0:443 -> 101.104.199.17:50202 p6 pk 1 by 256"),
    # nfdump shows no ports of ICMP; the exporter sends type and code there.
    "logstash_Netflow_9_Cisco_NBAR_flowset_262": (5, 40, 3064, "10.30.18.62:0 -> 10.30.19.180:2048 p1 pk 1 by 44"),
}
NFDUMP = [
    row
    for row in csv.DictReader((CAPTURES / "expected.csv").read_text().splitlines() if CAPTURES.is_dir() else ())
    if row["capture"] in FILES
]


@pytest.mark.parametrize("row", NFDUMP, ids=[row["capture"] for row in NFDUMP])
def test_nfdump_finds_the_same_flows(row: dict[str, str]) -> None:
    found = flows_of(row["capture"])
    rate = np.maximum(found.values.get("sampling_rate", np.ones(found.rows, np.int64)), 1)
    nothing = np.zeros(found.rows, np.int64)
    packets, octets = (found.values.get(name, nothing) * rate for name in ("packets", "bytes"))
    expected = (int(row["flows"]), int(row["packets"]), int(row["bytes"]), row["first_flow"])
    counts = f"p{first(found, 'proto')} pk {packets[0]} by {octets[0]}"
    ends = f"{end(found, 'src', 'sport')} -> {end(found, 'dst', 'dport')} {counts}"
    assert (found.rows, packets.sum(), octets.sum(), ends) == NFDUMP_EXCEPTIONS.get(row["capture"], expected)


def first(found: Records, name: str) -> int:
    return int(found.values[name][0]) if name in found.values else 0


def end(found: Records, address: str, port: str) -> str:
    return f"{text(found.values[address][0].tolist()) if address in found.values else '-'}:{first(found, port)}"


def text(halves: list[int]) -> str:
    address = IPv6Address((halves[0] & 0xFFFF_FFFF_FFFF_FFFF) << 64 | halves[1] & 0xFFFF_FFFF_FFFF_FFFF)
    return str(address.ipv4_mapped or address)


# -- logstash

LOGSTASH = json.loads((CAPTURES / "logstash-expected.json").read_text()) if CAPTURES.is_dir() else []
#: Its names of version 9 that are not IPFIX's in another spelling.
NAMES_9 = {
    "in_bytes": 1, "in_pkts": 2, "flows": 3, "protocol": 4, "src_tos": 5, "tcp_flags": 6, "l4_src_port": 7,
    "ipv4_src_addr": 8, "src_mask": 9, "input_snmp": 10, "l4_dst_port": 11, "ipv4_dst_addr": 12, "dst_mask": 13,
    "output_snmp": 14, "ipv4_next_hop": 15, "src_as": 16, "dst_as": 17, "bgp_ipv4_next_hop": 18,
    "last_switched": 21, "first_switched": 22, "out_bytes": 23, "out_pkts": 24, "ipv6_src_addr": 27,
    "ipv6_dst_addr": 28, "sampling_interval": 34, "sampling_algorithm": 35, "total_pkts_exp": 41,
    "total_flows_exp": 42, "ipv4_src_prefix": 44, "flow_sampler_id": 48, "ipv4_ident": 54, "in_src_mac": 56,
    "src_vlan": 58, "dst_vlan": 59, "ip_protocol_version": 60, "direction": 61, "in_dst_mac": 80, "if_desc": 83,
    "src_traffic_index": 92, "dst_traffic_index": 93, "flow_end_reason": 136, "conn_id": 148,
    "flow_start_msec": 152, "icmp_code": 177, "tcp_src_port": 182, "udp_dst_port": 181, "ip_dscp": 195,
    "xlate_src_addr_ipv4": 225, "xlate_dst_addr_ipv4": 226, "xlate_src_port": 227, "xlate_dst_port": 228,
    "fwd_flow_delta_bytes": 231, "rev_flow_delta_bytes": 232, "fw_event": 233, "event_time_msec": 323,
    "fw_ext_event": 33002, "app_id": 56701, "user_id": 56702,
}  # fmt: skip
#: What is of the header, or shown in a form of its own.
ELSEWHERE = {"version", "flow_seq_num", "flowset_id", "flow_records", "engine_type", "engine_id", "scope_system"}
SHOWN = {"application_id", "forwarding_status", "icmp_type"}


@pytest.mark.parametrize("case", LOGSTASH, ids=[case["capture"] for case in LOGSTASH])
def test_logstash_finds_the_same_records(case: dict[str, Any]) -> None:
    found = messages_of(case["capture"])
    if case["expected_events"] is not None:
        assert len(found) == case["expected_events"]
    for event, expected in case["full_json"].items():
        agree(found[int(event)], expected["netflow"], case["capture"])
    for check in case["field_checks"]:
        name = re.findall(r"\w+", check["path"])[1]
        value = check["value"].strip("\"'")
        if name in ours(found[check["event"]]) and "nanos" not in value and name not in SHOWN:
            agree(found[check["event"]], {name: value}, case["capture"])


def agree(message: Message, expected: dict[str, Any], capture: str) -> None:
    mine = ours(message)
    for name, theirs in expected.items():
        if name in ELSEWHERE | SHOWN or name in mine or capture != "logstash_Netflow_5_valid_01":
            if name in ELSEWHERE | SHOWN or (message.scope.version == 5 and name.startswith("sampling")):
                continue
            if name.endswith("_switched"):
                continue  # relative to the header's time: see test_times
            assert name in mine, name
            assert same(mine[name], theirs), (name, mine[name], theirs)


def ours(message: Message) -> dict[str, Any]:
    """What a message says under logstash's names: IPFIX's own, or those of version 9."""
    mine = {name.replace("enterprise5951_", "netscalerUnknown"): value for name, value in message.fields.items()}
    if message.scope.version < 10:
        known = {name: field_9(number).name for name, number in NAMES_9.items()}
        mine |= {name: mine[one] for name, one in known.items() if one in mine}
        mine |= {re.sub(r"([A-Z]|\d+)", r"_\1", name).lower(): value for name, value in mine.items()}
    return mine


def same(mine: Any, theirs: Any) -> bool:
    if isinstance(theirs, str) and (time := re.fullmatch(r"(\d{4}-\d\d-\d\dT[\d:]+)\.(\d+)Z", theirs)):
        seconds = datetime.fromisoformat(f"{time[1]}+00:00").timestamp()
        fraction = int(time[2].ljust(9, "0"))
        # One that shows milliseconds has lost the rest.
        return bool(0 <= mine - int(seconds) * 10**9 - fraction < (1 if len(time[2]) > 3 else 10**6))
    if isinstance(mine, bytes) and isinstance(theirs, int):
        return int.from_bytes(mine) == theirs
    if isinstance(mine, bytes):
        return theirs in (mine.hex(), mine.hex(":"), mine.rstrip(b"\0").decode("utf-8", "replace"))
    if isinstance(mine, float):
        return bool(mine == pytest.approx(float(theirs)))
    if isinstance(mine, int) and mine > 10**18 and str(theirs).isdigit():
        return mine // 10**6 == int(theirs)
    return str(mine) == str(theirs)


# -- telegraf

TELEGRAF = [name for name in FILES if name.startswith("telegraf")]
#: telegraf's names, and ours; what it makes of several elements or names by number is left out.
TELEGRAF_NAMES = {
    "src_port": "sourceTransportPort", "dst_port": "destinationTransportPort", "in_bytes": "octetDeltaCount",
    "in_packets": "packetDeltaCount", "in_total_bytes": "octetTotalCount", "in_total_packets": "packetTotalCount",
    "vlan_src": "vlanId", "in_snmp": "ingressInterface", "out_snmp": "egressInterface",
    "bgp_src_as": "bgpSourceAsNumber", "bgp_dst_as": "bgpDestinationAsNumber", "interface": "interfaceName",
    "interface_desc": "interfaceDescription", "app_name": "applicationName", "app_desc": "applicationDescription",
    "exporting_pid": "exportingProcessId", "total_flows_exported": "exportedFlowRecordTotalCount",
    "ignored_packet_total": "ignoredPacketTotalCount", "notsent_packet_total": "notSentPacketTotalCount",
    "dropped_packets_total": "droppedPacketTotalCount", "observation_domain_id": "observationDomainId",
    "l7_proto": "l7Proto", "client_nw_latency_ms": "clientNwLatencyMs", "ssl_cipher": "sslCipher",
    "ssl_server_name": "sslServerName", "ja3c_hash": "ja3cHash", "flows": "deltaFlowCount",
    "in_src_mac": "sourceMacAddress", "out_dst_mac": "postDestinationMacAddress",
    "retransmitted_out_bytes": "retransmittedOutBytes", "ssl_unsafe_cipher": "sslUnsafeCipher",
}  # fmt: skip
TELEGRAF_TIMES = {"flow_start_ms": "flowStartMilliseconds", "flow_end_ms": "flowEndMilliseconds"}
FAMILIES = {"src": "source", "dst": "destination"}


def lines(capture: str) -> Iterator[dict[str, Any]]:
    for line in FILES[capture].with_suffix(".expected.out").read_text().splitlines():
        fields = re.findall(r'([\w]+)=("(?:[^"\\]|\\.)*"|[\d.]+)', line.split(" ", 1)[1])
        yield {name: value.strip('"') for name, value in fields}


def as_telegraf(message: Message) -> dict[str, str]:
    fields = message.fields
    found = {name: str(fields[one]) for name, one in TELEGRAF_NAMES.items() if fields.get(one) is not None}
    found |= {name: str(fields[one] // 10**6) for name, one in TELEGRAF_TIMES.items() if one in fields}
    for name, value in fields.items():
        for short, long in FAMILIES.items():
            if name in (f"{long}IPv4Address", f"{long}IPv6Address"):
                found[short] = str(value)
    return found


@pytest.mark.parametrize("capture", TELEGRAF)
def test_telegraf_finds_the_same_values(capture: str) -> None:
    found = [as_telegraf(message) for message in messages_of(capture)]
    expected = list(lines(capture))
    assert len(found) == len(expected)
    if capture == "telegraf_netflow_v5_example":
        expected = [one | {"flows": None} for one in expected]  # there the count of the header
    # Elements that telegraf leaves under their number are not compared here, nor what it does not show.
    common = [set(one) & set(other) for one, other in zip(found, expected, strict=True)]
    assert all(len(names) > 1 for names in common)
    if capture == "telegraf_issue_14370":
        for one in (*found, *expected):  # telegraf writes an IPv6 address as it likes
            one.pop("src")
    ordered = [sorted((name, one[name]) for name in one if name in set().union(*common)) for one in found]
    theirs = [sorted((name, one[name]) for name in one if name in set().union(*common)) for one in expected]
    assert sorted(ordered) == sorted(theirs)


@pytest.mark.parametrize("capture", TELEGRAF)
def test_elements_that_telegraf_knows_by_number_are_all_there(capture: str) -> None:
    values: Counter[str] = Counter()
    for line in lines(capture):
        for name, value in line.items():
            if number := re.fullmatch(r"type_(\d+)_(rev_)?(\d+)", name):
                reverse = 0x4000 if number[2] else 0
                ours_ = element(int(number[1]), int(number[3]) & 0x7FFF | reverse)
                values[f"{ours_.name}={value}"] += 1
    mine: Counter[str] = Counter()
    for message in messages_of(capture):
        for name, value in message.fields.items():
            mine[f"{name}={value}"] += 1
            mine[f"{name}={value.hex() if isinstance(value, bytes) else value}"] += 1
            if isinstance(value, int):
                for digits in (2, 4, 8, 16):
                    mine[f"{name}=0x{value:0{digits}x}"] += 1
            if isinstance(value, bytes):
                mine[f"{name}=0x{value.hex()}"] += 1
    assert not {one: count for one, count in values.items() if mine[one] < count}


# -- tshark

TSHARK = {
    "cflow.octets": "octetDeltaCount",
    "cflow.packets": "packetDeltaCount",
    "cflow.srcport": "sourceTransportPort",
    "cflow.dstport": "destinationTransportPort",
    "cflow.protocol": "protocolIdentifier",
    "cflow.inputint": "ingressInterface",
    "cflow.outputint": "egressInterface",
    "cflow.srcaddr": "sourceIPv4Address",
    "cflow.dstaddr": "destinationIPv4Address",
    "cflow.nexthop": "ipNextHopIPv4Address",
    "cflow.srcas": "bgpSourceAsNumber",
    "cflow.dstas": "bgpDestinationAsNumber",
    "cflow.srcmac": "sourceMacAddress",
    "cflow.direction": "flowDirection",
}
#: tshark reads version 5 beyond the count in the header, and of H3C's sixteen sets the first.
NOT_TSHARK = {"logstash_Netflow_5_valid_01", "logstash_Netflow_5_invalid_01", "logstash_Netflow_9_H3C"}
#: Ports of TCP and UDP apart from those of the transport have the same name in tshark.
SEVERAL_PORTS = {"logstash_Netflow_9_Cisco_NBAR_flowset_262": {"cflow.srcport", "cflow.dstport"}}


@pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark")
@pytest.mark.parametrize("capture", [name for name in FILES if name not in NOT_TSHARK])
def test_tshark_finds_the_same_values(capture: str) -> None:
    fields = [part for name in TSHARK for part in ("-e", name)]
    command = ["tshark", "-r", str(FILES[capture]), "-d", "udp.port==2055,cflow", "-T", "json", *fields]
    layers = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    theirs = {name: [] for name in TSHARK}  # type: dict[str, list[str]]
    for layer in layers:
        for name, values in layer["_source"]["layers"].items():
            theirs[name] += [str(value) for value in values]
    mine: dict[str, list[str]] = {name: [] for name in TSHARK}
    for message in messages_of(capture):
        for name, one in TSHARK.items():
            if message.fields.get(one) is not None:
                value = message.fields[one]
                mine[name] += [str(each) for each in (value if isinstance(value, list) else [value])]
    for name in TSHARK.keys() - SEVERAL_PORTS.get(capture, set()):
        assert Counter(map(number, mine[name])) == Counter(map(number, theirs[name])), name


def number(shown: str) -> str:
    return str(int(shown, 0)) if re.fullmatch(r"0x[\da-f]+|\d+", shown) else shown


def test_what_is_no_netflow_in_truth_is_rejected_by_name() -> None:
    batch = decode(captured(FILES["logstash_Netflow_5_invalid_01"]), State())
    assert dict(batch.noted.counts) == {"count of records beyond the datagram": 1}
    assert not flows(batch).rows


def test_times_of_netscaler_are_ntp_with_fractions() -> None:
    found = flows_of("logstash_IPFIX_Netscaler_with_variable_length_fields").values
    assert found["end"][0] == int(datetime.fromisoformat("2016-11-11T12:09:19+00:00").timestamp()) * 10**9 + 127_768


def test_times_since_boot_are_as_long_before_the_export_as_the_header_says() -> None:
    found = flows_of("logstash_Netflow5_Juniper_MX80").values
    # Exported at 1469109172.0 and 190649.064 s of uptime; logstash is a second late when it borrows.
    assert found["start"][28] == 1_469_109_172_000_000_000 - 18_064_000_000


def test_a_count_of_milliseconds_that_began_again_is_gone_back_by() -> None:
    found = flows_of("logstash_Netflow_5_valid_01").values["start"][0]
    # logstash puts this flow 49.7 days after its export.
    late = int(datetime.fromisoformat("2015-06-21T11:40:52+00:00").timestamp()) * 10**9 + 194_000_000
    assert abs(found - (late - 2**32 * 10**6)) < 10**9
