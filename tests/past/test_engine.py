# SPDX-License-Identifier: Apache-2.0
"""What an engine does with a lake that changes, is broken, or is too much; filters of every kind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from tests import lakes
from tests.lakes import AT, HOUR, LASTS, Row, sums
from tests.past.conftest import pairs, rows

from fleutan.errors import FilterError, FleutanError
from fleutan.past.engine import TRIES, Lake, Limits
from fleutan.past.troubles import FilesReplaced
from fleutan.query.plan import Plan
from fleutan.table import Table

RECORDS = lakes.records()
FIVE = ("proto", "src", "sport", "dst", "dport")
_WHOLE = Plan(AT, AT + LASTS, (), ("bytes",))


def inside(row: Row, name: str, network: str) -> bool:
    return row.get(name) is not None and ip_address(row[name]) in ip_network(network)


def port(row: Row, name: str, first: int, last: int) -> bool:
    return row.get(name) is not None and first <= row[name] <= last


#: A filter, and which rows it means.
FILTERS: list[tuple[str, Callable[[Row], bool]]] = [
    ("", lambda _: True),
    ("all", lambda _: True),
    ("tcp", lambda row: row.get("proto") == "tcp"),
    (
        "tcp and src 10.213.54.6 and sport 5000:6000",
        lambda row: row.get("proto") == "tcp" and row["src"] == "10.213.54.6" and port(row, "sport", 5000, 6000),
    ),
    (
        "udp and (not(sport 21) or src 64.32.234.9/31)",
        lambda row: row.get("proto") == "udp" and (row["sport"] != 21 or inside(row, "src", "64.32.234.8/31")),
    ),
    (
        "src asn 2529 or addr asn 65535",
        lambda row: row["src_as"] == 2529 or 65535 in (row["src_as"], row["dst_as"]),
    ),
    ("src and dst asn 2529", lambda row: row["src_as"] == row["dst_as"] == 2529),
    ("src or dst asn 2529", lambda row: 2529 in (row["src_as"], row["dst_as"])),
    ("asn in (64512, 65535)", lambda row: bool({row["src_as"], row["dst_as"]} & {64512, 65535})),
    ("not has asn", lambda row: row["src_as"] is None and row["dst_as"] is None),
    ("ether 0:11:22:33:44:AA", lambda row: "00:11:22:33:44:aa" in (row["src_mac"], row["dst_mac"])),
    ("ether src 02-00-00-00-00-01", lambda row: row["src_mac"] == "02:00:00:00:00:01"),
    ("dst ether 00:11:*", lambda row: row["dst_mac"] == "00:11:22:33:44:aa"),
    ("input 3", lambda row: row["in_if"] == 3),
    ("output 7", lambda row: row["out_if"] == 7),
    ("exporter 203.0.113.2", lambda row: row["exporter"] == "203.0.113.2"),
    ("ip", lambda row: row.get("src") is not None and ":" not in row["src"]),
    ("ip6", lambda row: ":" in (row.get("src") or "")),
    ("not ip", lambda row: row.get("src") is None or ":" in row["src"]),
    ("host 2001:db8::1", lambda row: "2001:db8::1" in (row.get("src"), row.get("dst"))),
    ("net 10", lambda row: inside(row, "src", "10.0.0.0/8") or inside(row, "dst", "10.0.0.0/8")),
    ("dst 2001:db8::/33", lambda row: inside(row, "dst", "2001:db8::/33")),
    ("src ::/0", lambda row: row.get("src") is not None),
    ("host in (10.0.0.1, 192.0.2.7)", lambda row: bool({row.get("src"), row.get("dst")} & {"10.0.0.1", "192.0.2.7"})),
    ("src 10.0.0.1:443", lambda row: row.get("src") == "10.0.0.1" and row["sport"] == 443),
    ("port https", lambda row: 443 in (row.get("sport"), row.get("dport"))),
    ("bytes > 30k", lambda row: lakes.scaled(row, "bytes") > 30_000),
    ("packets in (100, 2000)", lambda row: lakes.scaled(row, "packets") in (100, 2000)),
    ("tcp_flags 2/2", lambda row: bool((row.get("tcp_flags") or 0) & 2)),
    ("direction ingress", lambda row: row["direction"] == "ingress"),
    ("proto ~ '^(tc|ud)p$'", lambda row: row.get("proto") in ("tcp", "udp")),
    ("proto != tcp", lambda row: row.get("proto") not in ("tcp", None)),
    ("ethertype 2054", lambda row: row.get("ethertype") == 0x0806),
    ("kind = samples", lambda _: False),
]


@pytest.mark.parametrize(("text", "means"), FILTERS)
def test_a_filter_means_the_same_rows_here_and_in_python(
    recorded: Path, text: str, means: Callable[[Row], bool]
) -> None:
    told = sums([row for row in RECORDS if means(row)], *FIVE)
    found = pairs(rows(recorded, "talkers", text, keys=",".join(FIVE), measures="bytes,packets", topn=0), *FIVE)
    assert found == told
    assert bool(told) == (text not in ("kind = samples",))


def test_a_list_as_long_as_a_filter_may_be(recorded: Path) -> None:
    many = ",".join(str(ip_address(0x0B000000 + number)) for number in range(5_500))
    found = rows(recorded, "talkers", f"src in ({many}, 10.0.0.1)", topn=0)
    assert [row["src"] for row in found] == ["10.0.0.1"]


@pytest.mark.parametrize("text", ["((a{100}){100}){100}", "(a{1000}){1000}", "[[:foo:]]"])
def test_what_only_the_database_refuses_is_a_wrong_filter(hosted: Path, text: str) -> None:
    with pytest.raises(FilterError, match="the filter cannot be evaluated: invalid"):
        rows(hosted, "owners", f"unit ~ '{text}'")


# -- much


def test_a_million_intervals(tmp_path: Path) -> None:
    """Most of them without a row: none is told of that has none."""
    lakes.sealed(tmp_path, records=[RECORDS[0], RECORDS[-1]])
    found = rows(tmp_path, "traffic", interval="0.005")
    assert [row["time"] for row in found] == [row["time"] // 5_000_000 * 5_000_000 for row in (RECORDS[0], RECORDS[-1])]


def test_every_row_its_own_interval(tmp_path: Path) -> None:
    many = 300_000
    even = {"src": "10.0.0.1", "dst": "10.0.0.2", "proto": "tcp", "packets": 1, "bytes": 1}
    table = lakes.table("records", [even])
    import numpy as np

    from fleutan.column import Column
    from fleutan.lake.writer import Writer

    times = Column(AT + np.arange(many) * 10_000_000)
    with Writer(tmp_path, "many") as writer:
        writer.add(table.take(np.zeros(many, np.int64)).with_columns({"time": times}))
    found = rows(tmp_path, "traffic", interval="0.01")
    assert len(found) == many
    assert {row["bytes"] for row in found} == {1}


def test_little_memory_is_enough_or_that_is_said(recorded: Path) -> None:
    plain = rows(recorded, "talkers", keys="src,dst", topn=0)
    assert rows(recorded, "talkers", limits=Limits("50MB", 1), keys="src,dst", topn=0) == plain
    with pytest.raises(FleutanError, match="needs more than 1KB of memory: ask of a shorter time, or allow more"):
        rows(recorded, "traffic", limits=Limits("1KB"))


def test_a_question_can_be_given_up(recorded: Path) -> None:
    """The database forgets an interrupt that comes before it begins: so it comes again and again."""
    done = threading.Event()
    with Lake(recorded, Limits(threads=1)) as lake:

        def interrupt() -> None:
            while not done.wait(0.01):
                lake.interrupt()

        def ask() -> None:
            for _ in range(10_000):
                list(lake.groups(_WHOLE, ("records",), "x"))

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(FleutanError, match="took too long and was given up"):
                ask()
        finally:
            done.set()
            thread.join()


# -- changes meanwhile


class Vanishing(Lake):
    """A lake whose files are taken away after they were listed, so often as said."""

    times = 1

    def _places(self, kinds: Any, asked: Any) -> Any:
        places = super()._places(kinds, asked)
        if self.times:
            self.times -= 1
            for path in self._files:
                path.rename(path.with_name(f"again-{path.name}"))
        return places


def test_files_that_are_replaced_while_they_are_listed_are_listed_again(tmp_path: Path) -> None:
    lakes.sealed(tmp_path, records=RECORDS)
    with Vanishing(tmp_path) as lake:
        (table,) = lake.groups(_WHOLE, ("records",), "x")
        assert table["bytes"].tolist() == [sums(RECORDS)[()][0]]
        lake.times = TRIES
        with pytest.raises(FleutanError, match="were replaced while they were read; ask again"):
            list(lake.groups(_WHOLE, ("records",), "x"))


class Breaking(Lake):
    """A lake whose files go after the first of an answer was told."""

    def _run(self, *asked: Any) -> Iterator[Table]:
        yield from super()._run(*asked)
        raise FilesReplaced


def test_what_was_told_is_not_told_again(recorded: Path) -> None:
    with Breaking(recorded) as lake:
        answer = lake.groups(_WHOLE, ("records",), "x")
        assert next(answer)["bytes"].tolist() == [sums(RECORDS)[()][0]]
        with pytest.raises(FleutanError, match="were replaced while they were read; ask again"):
            next(answer)


def test_a_lake_is_asked_while_it_is_written(tmp_path: Path) -> None:
    """Sealed at once, in tails, sealed later: every row counts once at each moment."""
    lakes.sealed(tmp_path, records=RECORDS[:100])
    with lakes.unsealed(tmp_path, records=RECORDS[100:]):
        assert pairs(rows(tmp_path, "traffic", interval=60), "time") == sums(RECORDS, bucket_ns=60 * 10**9)
    assert pairs(rows(tmp_path, "traffic", interval=60), "time") == sums(RECORDS, bucket_ns=60 * 10**9)


def test_only_tails(tmp_path: Path) -> None:
    with lakes.unsealed(tmp_path, records=RECORDS):
        with Lake(tmp_path) as lake:
            assert lake.has("records")
            assert not lake.has("samples")
        assert pairs(rows(tmp_path, "protocol", interval=3600), "time", "proto") == sums(
            [row for row in RECORDS if row.get("proto")], "proto", bucket_ns=HOUR
        )


# -- broken


@pytest.mark.parametrize("damage", ["emptied", "cut", "overwritten", "no parquet"])
@pytest.mark.parametrize("module", ["traffic", "tuple", "topaddr"])
def test_a_broken_file_among_good_ones_is_named(tmp_path: Path, damage: str, module: str) -> None:
    lakes.sealed(tmp_path, records=RECORDS)
    path = sorted((tmp_path / "records").rglob("*.parquet"))[0]
    octets = path.read_bytes()
    path.write_bytes(
        {
            "emptied": b"",
            "cut": octets[: len(octets) // 2],
            "overwritten": octets[:4] + b"\xff" * (len(octets) // 2) + octets[4 + len(octets) // 2 :],
            "no parquet": b"hello " * 100,
        }[damage]
    )
    with pytest.raises(FleutanError) as caught:
        rows(tmp_path, module, interval=7)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_rights(tmp_path: Path) -> None:
    """As another user, who may not read it: one line, exit status 1."""
    if os.geteuid():
        pytest.skip("needs root: to be another user")
    lakes.sealed(tmp_path / "lake", records=RECORDS[:3])
    where = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())  # not below a directory of root's alone
    try:
        (tmp_path / "lake").rename(where / "lake")
        where.chmod(0o755)
        for hidden in (where / "lake", where / "lake" / "records", next((where / "lake").rglob("*.parquet"))):
            mode = hidden.stat().st_mode
            hidden.chmod(0)
            said = _asked_by_nobody(where / "lake")
            hidden.chmod(mode)
            assert "denied" in said
            assert said.count("\n") == 1, said
    finally:
        subprocess.run(["rm", "-rf", where], check=True)


#: What nobody may not read is imported before.
_AS_NOBODY = """
import contextlib, os, sys
from fleutan.faces.cli import main
with contextlib.suppress(SystemExit):
    main(["query", *sys.argv[1:], "--end", "1"])
os.setuid(65534)
main(["query", *sys.argv[1:], "--end", "9000000000"])
"""


def _asked_by_nobody(root: Path) -> str:
    words = ("traffic", "--lake", str(root), "--start", "0", "-i", "7", "-f", "csv")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    ran = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, *words], capture_output=True, text=True, check=False, env=environment
    )
    assert ran.returncode == 1, ran.stderr
    return ran.stderr


def test_a_reading_says_where_an_answer_comes_from(recorded: Path) -> None:
    with Lake(recorded) as lake:
        (table,) = lake.groups(_WHOLE, ("records",), "x")
    assert table.reading.source == f"lake {recorded}"
    assert table.reading.interval_ns == LASTS
