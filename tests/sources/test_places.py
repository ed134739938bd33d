# SPDX-License-Identifier: Apache-2.0
"""Databases written here, in MaxMind's format (https://maxmind.github.io/MaxMind-DB/)."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from fleutan.errors import UsageError
from fleutan.sources.places import Place, Places

#: Unsigned integers by how many octets they have at most: their kinds.
_INTEGERS = {2: 5, 4: 6, 8: 9}


def _sized(kind: int, size: int) -> bytes:
    """The control octets of a field of a kind; kinds beyond 7 are told in an octet of their own."""
    extended = b"" if kind < 8 else bytes([kind - 7])
    more = b"" if size < 29 else bytes([size - 29])
    return bytes([(kind if kind < 8 else 0) << 5 | min(size, 29)]) + extended + more


def written(value: Any, width: int = 4) -> bytes:
    """A value as the data section has it; integers of so many octets at most."""
    if isinstance(value, str):
        octets = value.encode()
        return _sized(2, len(octets)) + octets
    if isinstance(value, int):
        octets = value.to_bytes(width, "big").lstrip(b"\0")
        return _sized(_INTEGERS[width], len(octets)) + octets
    if isinstance(value, list):
        return _sized(11, len(value)) + b"".join(map(written, value))
    return _sized(7, len(value)) + b"".join(written(name) + written(one) for name, one in value.items())


def database(path: Path, networks: dict[str, Any], version: int = 6) -> str:
    """A file with these records; IPv4 networks stand in ::/96 of an IPv6 tree."""
    nodes: list[list[int | bytes | None]] = [[None, None]]
    for text, record in networks.items():
        net = ip_network(text)
        start = 96 if net.version < version else 0
        bits = f"{int(net.network_address):0{net.max_prefixlen}b}"[: net.prefixlen]
        place = 0
        for number, bit in enumerate("0" * start + bits, 1):
            if number == start + net.prefixlen:
                nodes[place][int(bit)] = written(record)
                break
            below = nodes[place][int(bit)]
            if not isinstance(below, int):
                nodes.append([None, None])
                below = nodes[place][int(bit)] = len(nodes) - 1
            place = below
    data, tree = b"", b""
    for node in nodes:
        for side in node:
            pointer = len(nodes)
            if isinstance(side, bytes):
                pointer += 16 + len(data)
                data += side
            elif side is not None:
                pointer = side
            tree += struct.pack("!I", pointer)
    told: tuple[tuple[str, Any, int], ...] = (
        *(("node_count", len(nodes), 4), ("record_size", 32, 2), ("ip_version", version, 2)),
        *(("database_type", "Test", 4), ("languages", [], 4), ("description", {}, 4), ("build_epoch", 1, 8)),
        *(("binary_format_major_version", 2, 2), ("binary_format_minor_version", 0, 2)),
    )
    metadata = _sized(7, len(told)) + b"".join(written(name) + written(value, width) for name, value, width in told)
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata)
    return str(path)


def test_networks_and_countries(tmp_path: Path) -> None:
    asn = database(
        tmp_path / "asn.mmdb",
        {
            "192.0.2.0/24": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"},
            "2001:db8::/32": {"asn": "AS64497", "country_code": "FR"},
        },
    )
    geo = database(
        tmp_path / "geo.mmdb",
        {
            "192.0.2.0/25": {"country": {"iso_code": "DE"}},
            "198.51.100.0/24": {"registered_country": {"iso_code": "US"}},
        },
    )
    with Places(asn, geo) as places:
        assert places.of("192.0.2.1") == Place(64496, "DE")
        assert places.of("192.0.2.200") == Place(64496, None)
        assert places.of("2001:db8::1") == Place(64497, "FR")
        assert places.of("198.51.100.1") == Place(None, "US")
        assert places.of("203.0.113.1") == Place()
        assert places.of("fe80::1%eth0") == Place()
    with Places() as places:
        assert places.of("192.0.2.1") == Place()


def test_a_file_for_ipv4_alone(tmp_path: Path) -> None:
    asn = database(tmp_path / "asn.mmdb", {"192.0.2.0/24": {"autonomous_system_number": 64496}}, version=4)
    with Places(asn) as places:
        assert (places.of("192.0.2.9").asn, places.of("2001:db8::1").asn) == (64496, None)


@pytest.mark.parametrize("record", ["text", {"asn": [1]}, {"country": {}}, {"asn": "ASx", "country_code": 7}])
def test_records_of_other_shapes(record: Any, tmp_path: Path) -> None:
    with Places(database(tmp_path / "odd.mmdb", {"192.0.2.0/24": record})) as places:
        assert places.of("192.0.2.1") == Place()


def test_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.mmdb").write_text("no database")
    (tmp_path / "empty.mmdb").touch()
    for option, name, why in (
        ("--asn", "text.mmdb", "no database in MaxMind's format"),
        ("--geo", "empty.mmdb", "no database in MaxMind's format"),
        ("--asn", "none.mmdb", "no such file or directory"),
    ):
        files = {option.removeprefix("--"): str(tmp_path / name)}
        with pytest.raises(UsageError, match=f"{option} .*{name}: {why}"), Places(**files):
            pass


def test_a_damaged_file_tells_nothing_and_does_not_end_it(tmp_path: Path) -> None:
    file = Path(database(tmp_path / "asn.mmdb", {"192.0.2.0/24": {"autonomous_system_number": 64496}}))
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            with Places(str(file)) as places:
                assert places.of("192.0.2.1").asn is None or isinstance(places.of("192.0.2.1").asn, int)
        except UsageError:
            pass
