# SPDX-License-Identifier: Apache-2.0
"""Every module against plain Python over the same rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import lakes
from tests.lakes import AT, HOUR, LASTS, MINUTE, SECOND, between, directed, scaled, sums
from tests.past.conftest import LATE, first, pairs, rows, tables, with_ip

from fleutan.column import Column
from fleutan.errors import FleutanError, UsageError
from fleutan.lake.writer import Writer
from fleutan.past.engine import Lake
from fleutan.past.modules import MODULES, TOP, answer, kinds_of, planned
from fleutan.past.request import Request
from fleutan.query.expression import Everything
from fleutan.query.filter import parse
from fleutan.query.plan import Plan
from fleutan.table import Table

RECORDS, SAMPLES, FLOWS = lakes.records(), lakes.samples(), lakes.flows()
#: Windows in seconds of the traffic: whole, of whole hours and minutes, cut in a minute, within a second, empty.
WINDOWS = [(0, 5400), (0, 3600), (60, 5340), (61.5, 4000.25), (1800, 1800.7), (6000, 7000)]


def window(cut: tuple[float, float]) -> tuple[dict[str, Any], int, int]:
    """The parameters of a window, and its ends."""
    start_ns, end_ns = (AT + int(at * SECOND) for at in cut)
    return {"start": start_ns / SECOND, "end": end_ns / SECOND}, start_ns, end_ns


# -- traffic, protocol, ethtypes


@pytest.mark.parametrize("cut", WINDOWS)
@pytest.mark.parametrize("interval", ["1", "7", "60", "300", "3600"])
def test_traffic_is_the_sum_of_each_interval(recorded: Path, cut: tuple[float, float], interval: str) -> None:
    words, start_ns, end_ns = window(cut)
    found = rows(recorded, "traffic", interval=interval, **words)
    assert pairs(found, "time") == sums(between(RECORDS, start_ns, end_ns), bucket_ns=int(interval) * SECOND)
    assert [row["time"] for row in found] == sorted(row["time"] for row in found)


@pytest.mark.parametrize("cut", WINDOWS)
def test_rollups_and_rows_say_the_same_and_of_unsealed_rows_too(mixed: Path, cut: tuple[float, float]) -> None:
    """Records and samples, rolled up where the window is of whole minutes; those of the tail are in no rollup yet."""
    words, start_ns, end_ns = window(cut)
    known = between([*RECORDS, *LATE], start_ns, end_ns)
    assert pairs(rows(mixed, "traffic", "kind = records", interval=60, **words), "time") == sums(
        known, bucket_ns=MINUTE
    )
    told = rows(mixed, "protocol", "kind = records", interval=3600, **words)
    assert pairs(told, "time", "proto") == sums(with_ip(known), "proto", bucket_ns=HOUR)


@pytest.mark.parametrize(
    ("cut", "bucket", "kinds"),
    [
        ((0, 3600), 3600, ("hours", "records", "samples")),
        ((0, 3600), 60, ("minutes", "records", "samples")),
        ((60, 3600), 0, ("minutes", "records", "samples")),
        ((0, 3600), 0, ("hours", "records", "samples")),
        ((0, 3600), 61, ("records", "samples")),
        ((1, 3600), 60, ("records", "samples")),
    ],
)
def test_a_plan_takes_the_coarsest_kind_that_can_answer(
    tmp_path: Path, cut: tuple[int, int], bucket: int, kinds: tuple[str, ...]
) -> None:
    lakes.sealed(tmp_path, records=RECORDS[:10], samples=SAMPLES[:10])
    _, start_ns, end_ns = window(cut)
    request = Request("traffic", start_ns, end_ns)
    with Lake(tmp_path) as lake:
        by_proto = Plan(start_ns, end_ns, ("proto",), ("bytes",), bucket_ns=bucket * SECOND)
        assert planned(lake, request, by_proto).kinds == kinds
        by_address = Plan(start_ns, end_ns, ("src",), ("bytes",), bucket_ns=bucket * SECOND)
        assert planned(lake, request, by_address).kinds == ("records", "samples")


@pytest.mark.parametrize(("keys", "side"), [(("proto",), ""), (("src",), "src")])
def test_counts_that_are_asked_for_are_those_of_each_row(recorded: Path, keys: tuple[str, ...], side: str) -> None:
    """Sums would have others: all of an hour are many bytes."""
    few = [row for row in RECORDS if scaled(row, "bytes") < 2000 or scaled(row, "packets") > 3500]
    words: dict[str, Any] = {"start": AT // SECOND, "end": (AT + 2 * HOUR) // SECOND}
    text = "bytes < 2000 or packets > 3500"
    found = rows(recorded, "talkers", text, keys=",".join(keys), measures="bytes,packets", topn=0, **words)
    assert pairs(found, *keys) == sums(few, *keys)
    assert len(few) > 5
    with Lake(recorded) as lake:
        plan = Plan(AT, AT + HOUR, keys, ("bytes",), parse("flows > 1"))
        chosen = planned(lake, Request("talkers", AT, AT + HOUR), plan)
        assert (chosen.kinds, chosen.side) == (("records",), "")
        assert planned(lake, Request("talkers", AT, AT + HOUR), replace(plan, filter=Everything())).side == side


def test_flows_of_hosts_are_in_no_rollup(hosted: Path) -> None:
    with Lake(hosted) as lake:
        plan = Plan(AT, AT + HOUR, ("proto",), ("bytes",), bucket_ns=HOUR)
        assert planned(lake, Request("traffic", AT, AT + HOUR), plan).kinds == ("flows",)


def test_without_a_source_all_kinds_are_added_up(mixed: Path) -> None:
    every = [*RECORDS, *LATE, *SAMPLES, *directed(FLOWS)]
    assert pairs(rows(mixed, "traffic", interval=60), "time") == sums(every, bucket_ns=MINUTE)
    by_kind = pairs(rows(mixed, "talkers", keys="kind", measures="bytes,packets", topn=0), "kind")
    assert by_kind[("flows",)] == sums(directed(FLOWS))[()]
    assert by_kind[("samples",)] == sums(SAMPLES)[()]


def test_a_source_chooses_kinds(mixed: Path) -> None:
    assert pairs(rows(mixed, "traffic", source="trace", interval=60), "time") == sums(SAMPLES, bucket_ns=MINUTE)
    told = sums([*RECORDS, *LATE, *directed(FLOWS)], bucket_ns=MINUTE)
    assert pairs(rows(mixed, "traffic", source="tuple", interval=60), "time") == told
    with Lake(mixed) as lake:
        assert kinds_of(lake, Request("traffic", 0, 1, source="trace")) == ("samples",)
    with pytest.raises(UsageError, match="no source is called 'pcap'; there are tuple and trace"):
        rows(mixed, "traffic", source="pcap")


def test_protocol_and_ethtypes(recorded: Path) -> None:
    told = rows(recorded, "protocol", interval=600)
    assert pairs(told, "time", "proto") == sums(with_ip(RECORDS), "proto", bucket_ns=600 * SECOND)
    typed = [row | {"ethertype": row.get("ethertype") or (0x86DD if ":" in row["src"] else 0x0800)} for row in RECORDS]
    assert pairs(rows(recorded, "ethtypes", interval=600), "time", "ethertype") == sums(
        typed, "ethertype", bucket_ns=600 * SECOND
    )


def test_granularity_makes_one_interval_of_several(recorded: Path) -> None:
    assert rows(recorded, "traffic", interval=10, granularity=6) == rows(recorded, "traffic", interval=60)


@pytest.mark.parametrize("name", ["mixed", "hosted", "sampled", "recorded"])
def test_flowcount_is_exact(name: str, request: pytest.FixtureRequest) -> None:
    every = {
        "recorded": RECORDS,
        "sampled": SAMPLES,
        "hosted": directed(FLOWS),
        "mixed": [*RECORDS, *LATE, *SAMPLES, *directed(FLOWS)],
    }[name]
    ends: dict[int, set[Any]] = {}
    for row in every:
        five = tuple(row.get(key) for key in ("proto", "src", "sport", "dst", "dport"))
        ends.setdefault(row["time"] // (5 * MINUTE) * (5 * MINUTE), set()).add(five)
    found = rows(request.getfixturevalue(name), "flowcount", interval=300)
    assert {row["time"]: row["flows"] for row in found} == {at: len(those) for at, those in sorted(ends.items())}


# -- tuple


def test_tuple_of_records_is_what_was_recorded(recorded: Path) -> None:
    words, start_ns, end_ns = window((61.5, 4000.25))
    found = rows(recorded, "tuple", **words)
    told = with_ip(between(RECORDS, start_ns, end_ns))
    assert [row["start"] for row in found] == [row["time"] for row in told]
    plain = [
        {
            "start": row["time"],
            "end": row["end"] or row["time"],
            **{name: row[name] for name in ("proto", "src", "sport", "dst", "dport")},
            **{name: scaled(row, name) for name in ("packets", "bytes")},
        }
        for row in told
    ]
    assert sorted(found, key=repr) == sorted(plain, key=repr)


def test_tuple_of_samples_and_with_an_interval_is_what_each_flow_had_in_it(mixed: Path, sampled: Path) -> None:
    five = ("proto", "src", "sport", "dst", "dport")
    fitting = rows(sampled, "tuple")
    assert sum(row["bytes"] for row in fitting) == sums(with_ip(SAMPLES))[()][0]
    found = rows(mixed, "tuple", source="tuple", interval=600)
    every = with_ip([*RECORDS, *LATE, *directed(FLOWS)])
    assert pairs(found, "time", *five) == sums(every, *five, bucket_ns=600 * SECOND)
    some = found[len(found) // 2]
    own: list[Any] = [row for row in every if all(row[name] == some[name] for name in five)]
    own = [row for row in own if row["time"] // (600 * SECOND) == some["time"] // (600 * SECOND)]
    assert some["start"] == min(int(row.get("first_seen", row["time"])) for row in own)
    assert some["end"] == max(int(row.get("end") or row.get("last_seen", row["time"])) for row in own)


def test_of_the_flows_that_are_told_first_the_same_each_time(hosted: Path) -> None:
    few = rows(hosted, "tuple", topn=7)
    assert len(few) == 7
    assert all(rows(hosted, "tuple", topn=7) == few for _ in range(3))
    assert [row["start"] for row in few] == sorted(row["start"] for row in rows(hosted, "tuple"))[:7]


# -- topaddr, topports


@pytest.mark.parametrize("side", ["src", "dst"])
def test_topaddr_ranks_addresses_by_bytes(mixed: Path, side: str) -> None:
    every = with_ip([*RECORDS, *LATE, *SAMPLES, *directed(FLOWS)])
    words: dict[str, Any] = {f"use_{side}": ""}
    found = rows(mixed, "topaddr", topn=4, **words)
    assert [((row["address"],), (row["bytes"], row["packets"])) for row in found] == first(sums(every, side), 4)
    assert [(row["time"], row["rank"]) for row in found] == [(AT, rank) for rank in (1, 2, 3, 4)]


def test_topaddr_of_each_interval(recorded: Path) -> None:
    found = rows(recorded, "topaddr", topn=3, interval=600)
    for at in {row["time"] for row in found}:
        own = sums(with_ip(between(RECORDS, at, at + 600 * SECOND)), "dst")
        told = [row for row in found if row["time"] == at]
        assert [((row["address"],), (row["bytes"], row["packets"])) for row in told] == first(own, 3)
        assert [row["rank"] for row in told] == list(range(1, len(told) + 1))
    assert [row["time"] for row in found] == sorted(row["time"] for row in found)


def test_topports_counts_each_record_at_both_of_its_ports(recorded: Path) -> None:
    both: Counter[tuple[str, int]] = Counter()
    for row in with_ip(RECORDS):
        if row["proto"] in ("tcp", "udp"):
            both[row["proto"], row["sport"]] += scaled(row, "bytes")
            both[row["proto"], row["dport"]] += scaled(row, "bytes")
    found = rows(recorded, "topports", topn=0)
    assert {(row["proto"], row["port"]): row["bytes"] for row in found} == both
    assert [row["bytes"] for row in found] == sorted(both.values(), reverse=True)
    assert rows(recorded, "topports", topn=5) == found[:5]
    assert "icmp" not in {row["proto"] for row in found}


def test_so_many_are_told_unless_all_are_asked_for(tmp_path: Path) -> None:
    many = [{"time": AT, "src": f"10.1.0.{n}", "dst": "10.0.0.1", "bytes": n, "packets": 1} for n in range(TOP + 9)]
    lakes.sealed(tmp_path, records=many)
    assert len(rows(tmp_path, "topaddr", use_src="")) == TOP
    assert len(rows(tmp_path, "topaddr", use_src="", topn=0)) == TOP + 9
    assert len(rows(tmp_path, "talkers")) == 10
    assert len(rows(tmp_path, "talkers", topn=0)) == TOP + 9


def test_ties_are_in_the_same_order_each_time(tmp_path: Path) -> None:
    even = [
        {"time": AT, "src": f"10.{n % 7}.9.{n % 250}", "dst": "10.0.0.1", "bytes": 5, "packets": 1} for n in range(500)
    ]
    lakes.sealed(tmp_path, records=even)
    every = [row["address"] for row in rows(tmp_path, "topaddr", use_src="", topn=0)]
    ranked = first(sums(even, "src"), 500)
    assert every == [key[0] for key, _ in ranked]
    assert [row["address"] for row in rows(tmp_path, "topaddr", use_src="", topn=9)] == every[:9]
    assert [row["address"] for row in rows(tmp_path, "topaddr", use_src="", topn=9, interval=60)] == every[:9]


def test_ranks_go_on_where_an_answer_comes_in_several_tables(tmp_path: Path) -> None:
    """The engine's Tables have about 120,000 rows; a second interval begins at 1 again."""
    rows_ = 300_000
    halves = np.zeros((rows_, 2), np.int64)
    halves[:, 1] = (0xFFFF << 32) + np.arange(rows_)
    ones = Column(np.ones(rows_, np.int64))
    for at in (AT, AT + HOUR):
        lakes.sealed(tmp_path)
        with Writer(tmp_path, "many") as writer:
            columns = {"time": Column(np.full(rows_, at)), "src": Column(halves), "bytes": ones, "packets": ones}
            writer.add(Table("records", columns))
    found = tables(tmp_path, "topaddr", use_src="", topn=0, interval=3600)
    assert len(found) > 3
    ranks = np.concatenate([table["rank"] for table in found])
    assert (ranks == np.tile(np.arange(1, rows_ + 1), 2)).all()
    whole = np.concatenate([table["rank"] for table in tables(tmp_path, "topaddr", use_src="", topn=0)])
    assert (whole == np.arange(1, rows_ + 1)).all()


# -- talkers


def test_talkers_have_any_keys_and_measures(recorded: Path) -> None:
    found = rows(recorded, "talkers", keys="proto,dport", measures="flows,bytes,start,end,tcp_flags", topn=0)
    groups: dict[Any, list[Any]] = {}
    for row in RECORDS:
        groups.setdefault((row.get("proto"), row.get("dport")), []).append(row)
    assert {(row["proto"], row["dport"]) for row in found} == set(groups)
    for row in found:
        own = groups[row["proto"], row["dport"]]
        assert row["flows"] == len(own)
        assert row["bytes"] == sum(scaled(one, "bytes") for one in own)
        assert (row["start"], row["end"]) == (min(o["time"] for o in own), max(o["end"] or o["time"] for o in own))
        flags = [one["tcp_flags"] for one in own if one.get("tcp_flags") is not None]
        assert row["tcp_flags"] == (int(np.bitwise_or.reduce(flags)) if flags else None)
    assert [row["bytes"] for row in found] == sorted((row["bytes"] for row in found), reverse=True)


def test_talkers_are_sorted_by_a_measure(recorded: Path) -> None:
    by_flows = [row["flows"] for row in rows(recorded, "talkers", keys="dst", order="flows", topn=0)]
    assert by_flows == sorted(by_flows, reverse=True)
    assert list(rows(recorded, "talkers", measures="flows,packets", topn=1)[0]) == ["src", "flows", "packets"]


def test_talkers_by_interval_have_so_many_in_each(recorded: Path) -> None:
    found = rows(recorded, "talkers", keys="src", interval=600, topn=2)
    per = Counter(row["time"] for row in found)
    assert set(per.values()) == {2}
    assert len(per) == len({row["time"] // (600 * SECOND) for row in with_ip(RECORDS)})


def test_own_counters_of_hosts_are_added_up_once(hosted: Path) -> None:
    """A flow is a row in each direction; what it counts of its own is not doubled by that."""
    found = rows(hosted, "talkers", keys="node", measures="bytes,tx_bytes,rx_bytes,rx_packets,retrans,rtt", topn=0)
    for row in found:
        own = [one for one in FLOWS if one["node"] == row["node"]]
        for name in ("tx_bytes", "rx_bytes", "rx_packets"):
            assert row[name] == sum(one.get(name) or 0 for one in own if one.get(name))
        sent = [one for one in own if one.get("tx_packets", one.get("segs_out"))]
        assert row["retrans"] == sum(one["retrans"] for one in sent)
        assert row["bytes"] == sums(directed(own))[()][0]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"measures": "src"}, "src is not among the measures"),
        ({"measures": "bytes", "order": "flows"}, "flows is not among the measures"),
        ({"keys": "bytes", "measures": "bytes"}, "bytes cannot be a key and a measure"),
        ({"keys": "time", "interval": 60}, "time is told apart by the interval already"),
        ({"keys": "colour"}, "no field is called 'colour'"),
        ({"keys": "user"}, "user is not kept in records"),
        ({"measures": "retrans"}, "retrans is not kept in records"),
        ({"filter_": "cgroup = x"}, "cgroup is not kept in records"),
        ({"filter_": "via = 10.0.0.1"}, "via is not kept in records"),
        ({"filter_": "tx_packets > 1"}, "tx_packets is not kept in records"),
    ],
)
def test_what_no_row_knows_is_refused(recorded: Path, words: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        rows(recorded, "talkers", **words)


def test_only_addresses_of_one_side_are_ranked(recorded: Path) -> None:
    with Lake(recorded) as lake, pytest.raises(UsageError, match="ranked by src or dst"):
        answer(lake, Request("topaddr", 0, 1, side="both"))
    with (
        Lake(recorded) as lake,
        pytest.raises(UsageError, match="no module is called 'apps'; there are trace, traffic"),
    ):
        answer(lake, Request("apps", 0, 1))


# -- of hosts


def test_owners(hosted: Path) -> None:
    found = rows(hosted, "owners")
    groups: dict[Any, list[Any]] = {}
    for row in FLOWS:
        groups.setdefault(tuple(row[key] for key in ("node", "comm", "unit", "container")), []).append(row)
    assert len(found) == min(TOP, len(groups))
    for row in found:
        own = groups[row["node"], row["comm"], row["unit"], row["container"]]
        assert row["flows"] == len(own)
        sent = [one["tx_bytes"] for one in own if one.get("tx_bytes") is not None]
        assert row["tx_bytes"] == (sum(sent) if sent else None)
    known = [row["tx_bytes"] for row in found if row["tx_bytes"] is not None]
    assert known == sorted(known, reverse=True)
    by_unit = rows(hosted, "owners", "node = web1", keys="unit", topn=0)
    assert sum(row["flows"] for row in by_unit) == sum(row["node"] == "web1" for row in FLOWS)


def test_limits(hosted: Path) -> None:
    found = rows(hosted, "limits")
    assert {row["limit"]: row["flows"] for row in found} == Counter(row["limit"] for row in FLOWS)
    for row in found:
        known = [one["rtt"] for one in FLOWS if one["limit"] == row["limit"] and one["rtt"] is not None]
        assert row["rtt"] == int(sum(known) / len(known))
    assert len(rows(hosted, "limits", keys="node,limit", topn=3)) == 3


def test_what_is_not_kept_of_hosts_is_refused(hosted: Path) -> None:
    for module in ("owners", "limits"):
        with pytest.raises(UsageError, match="bytes is not kept in flows"):
            rows(hosted, module, "bytes > 5")
        with pytest.raises(UsageError, match="exporter is not kept in flows"):
            rows(hosted, module, keys="exporter")


# -- listings

_DROPS = [
    {"time": AT + n * SECOND, "event": "drop", "reason": f"R{n % 3}", "packets": n, "proto": "tcp", "node": "here"}
    for n in range(30)
]
_COUNTERS = [
    {"time": AT, "exporter": "203.0.113.1", "structure": "if_counters", "counter": "ifInOctets", "count": 7},
    {"time": AT + 1, "exporter": "203.0.113.1", "structure": "host_cpu", "counter": "load_one", "gauge": 0.5},
]
_EXPORTERS = [{"time": AT, "exporter": "203.0.113.1", "protocol": "ipfix", "datagrams": 9, "rates": (1, 100)}]
_PATHS = [{"time": AT, "dst": "192.0.2.7", "method": "tcp", "hop_count": 3, "rtt": 900, "via": "10.0.0.1"}]


def test_rows_are_listed_as_they_are(tmp_path: Path) -> None:
    lakes.sealed(tmp_path, drops=_DROPS, counters=_COUNTERS, exporters=_EXPORTERS, paths=_PATHS)
    for module, known in (("counters", _COUNTERS), ("exporters", _EXPORTERS), ("paths", _PATHS)):
        found = rows(tmp_path, module)
        assert [{name: row[name] for name in own} for row, own in zip(found, known, strict=True)] == known
        assert list(found[0]) == list(lakes_fields(module))
    found = rows(tmp_path, "drops", "reason = R1 and packets > 4")
    assert [row["packets"] for row in found] == [n for n in range(5, 30) if n % 3 == 1]
    assert [row["packets"] for row in rows(tmp_path, "drops", topn=4)] == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="exporter is not kept in drops; there are time, node, interval"):
        rows(tmp_path, "drops", "exporter = 10.0.0.1")


def lakes_fields(module: str) -> tuple[str, ...]:
    from fleutan.lake.kinds import KINDS

    return KINDS[module].names


def test_trace_has_packets_as_they_were_sampled(mixed: Path) -> None:
    found = rows(mixed, "trace")
    names = ("time", "bytes", "packets", "header", "link_type", "ttl", "in_if")
    assert {tuple(row[name] for name in names) for row in found} == {
        tuple(row[name] for name in names) for row in SAMPLES
    }
    assert [row["time"] for row in found] == [row["time"] for row in SAMPLES]
    some = rows(mixed, "trace", "tcp and has header", topn=5)
    assert [row["proto"] for row in some] == ["tcp"] * 5
    with pytest.raises(UsageError, match="proc is not kept in samples"):
        rows(mixed, "trace", "proc = x")


# -- nothing


@pytest.mark.parametrize("module", MODULES)
def test_a_window_without_rows_gives_one_empty_table_with_the_same_columns(
    mixed: Path, module: str, tmp_path: Path
) -> None:
    root = mixed
    if module in ("drops", "counters", "paths", "exporters"):
        root = lakes.sealed(tmp_path, drops=_DROPS, counters=_COUNTERS, exporters=_EXPORTERS, paths=_PATHS)
    whole = tables(root, module)
    (nothing,) = tables(root, module, start=1, end=2)
    assert len(nothing) == 0
    assert list(nothing.columns) == list(whole[0].columns)
    assert sum(map(len, whole)) > 0 or module == "flow-reassembly"  # headers there are noise
    for name, column in nothing.columns.items():
        assert column.values.dtype == whole[0].columns[name].values.dtype
        assert (column.words is None) == (whole[0].columns[name].words is None)


@pytest.mark.parametrize("module", MODULES)
def test_an_empty_lake_says_nothing_or_what_it_lacks(bare: Path, module: str) -> None:
    if module in ("owners", "limits", "drops", "counters", "paths", "exporters"):
        with pytest.raises(UsageError, match=r"has no .*'fleutan (record|collect)"):
            rows(bare, module)
    else:
        assert rows(bare, module) == []


@pytest.mark.parametrize("module", MODULES)
def test_without_a_lake_that_is_said(tmp_path: Path, module: str) -> None:
    with pytest.raises(FleutanError, match=r"there is no lake at .*/nowhere: 'fleutan collect' and 'fleutan record'"):
        rows(tmp_path / "nowhere", module)


def test_a_count_beyond_64_bits_is_unknown_and_hurts_no_other(tmp_path: Path) -> None:
    row = {"time": AT, "src": "10.0.0.1", "dst": "10.0.0.2", "proto": "tcp", "sport": 1, "dport": 2}
    hostile = [row | {"bytes": 1 << 62, "packets": 3, "sampling_rate": 1000}, row | {"bytes": 100, "packets": 1}]
    lakes.sealed(tmp_path, records=hostile)
    for interval in (1, 60, 3600):
        assert pairs(rows(tmp_path, "traffic", interval=interval), "time") == {(AT,): (100, 3001)}
    assert [(row["bytes"], row["packets"]) for row in rows(tmp_path, "tuple")] in (
        [(None, 3000), (100, 1)],
        [(100, 1), (None, 3000)],
    )


def test_the_whole_lasts_as_long_as_it_is_said_to() -> None:
    """The traffic of these tests crosses an hour, so that several files are asked."""
    assert AT % HOUR == 0
    assert {row["time"] // HOUR for row in RECORDS} == {AT // HOUR, AT // HOUR + 1}
    assert max(row["time"] for row in RECORDS) < AT + LASTS
