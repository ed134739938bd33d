# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.errors import UsageError
from fleutan.lake.kinds import KINDS
from fleutan.past import relations
from fleutan.past.relations import branches, check, check_plain, disk_names, is_rolled, known, plain, side_of


def test_a_record_is_one_row_and_a_flow_of_a_host_two() -> None:
    (record,) = branches("records")
    assert record.column("bytes") == "TRY(bytes * coalesce(sampling_rate, 1))"
    assert (record.column("proto"), record.column("user"), record.column("kind")) == ('"proto"', "NULL", "'records'")
    sent, received = branches("flows")
    assert (sent.column("src_hi"), received.column("src_hi")) == ('"src_hi"', "dst_hi")
    assert (sent.column("sport"), received.column("sport")) == ('"sport"', "dport")
    assert (sent.column("direction"), received.column("direction")) == ("'tx'", "'rx'")
    assert (sent.column("rx_bytes_once"), received.column("rx_bytes_once")) == ("NULL", "rx_bytes")
    assert received.where == "coalesce(rx_packets, segs_in) > 0 AND coalesce(dev, '') <> 'lo'"


def test_sums_are_rows_that_say_how_many_they_are() -> None:
    for kind in relations.ROLLUPS:
        (rolled,) = branches(kind)
        assert (rolled.column("flows"), rolled.column("comm"), rolled.column("src_hi")) == ("flows", '"comm"', "NULL")
    (ends,) = branches("ends of sport")
    assert (ends.kind, ends.column("sport"), ends.where) == ("ends", "port", "side = 'sport'")
    (ends,) = branches("ends of dst")
    assert (ends.column("dst_lo"), ends.column("proto")) == ("address_lo", '"proto"')


def test_rows_as_they_are() -> None:
    row = plain("flows")
    assert (row.column("tx_bytes_once"), row.column("start_ns"), row.column("flows")) == ("tx_bytes", "time_ns", "1")
    assert plain("drops").column("tx_bytes_once") == "NULL"


@pytest.mark.parametrize(
    ("names", "rolled"),
    [
        ((), True),
        (("proto", "node", "in_if", "bytes", "packets", "flows", "kind", "comm"), True),
        (("ethertype",), False),
        (("src",), False),
        (("family",), False),
    ],
)
def test_what_rollups_know(names: tuple[str, ...], rolled: bool) -> None:
    assert is_rolled(names) == rolled


@pytest.mark.parametrize(
    ("names", "side"),
    [
        (("src", "bytes", "packets"), "src"),
        (("dst", "flows", "node"), "dst"),
        (("dport", "proto", "bytes"), "dport"),
        (("src", "proto"), ""),
        (("src", "dst"), ""),
        (("src", "exporter"), ""),
        (("proto",), ""),
    ],
)
def test_what_sums_by_one_end_know(names: tuple[str, ...], side: str) -> None:
    assert side_of(names) == side


def test_fields_that_no_row_has_are_refused_with_the_nearest() -> None:
    check(("src", "family", "kind", "direction"), ("records",))
    check(("comm", "exporter"), ("records", "flows"))
    with pytest.raises(UsageError, match=r"outcome is not kept in records, samples$"):
        check(("outcome",), ("records", "samples"))
    with pytest.raises(UsageError, match="tx_segments is not kept in drops"):
        check_plain(("tx_segments", "packets"), "drops")
    check_plain(("family", "flows", "start", "reason"), "drops")
    assert known(("nothing",)) == known(())
    assert {"rtt", "header"} <= known(("samples",))


def test_names_on_disk() -> None:
    assert disk_names(("time", "src", "rtt", "src")) == ["time_ns", "src_hi", "src_lo", "rtt_us"]
    for kind in KINDS.values():
        assert disk_names(kind.names) == [name for name, _ in kind.columns]
