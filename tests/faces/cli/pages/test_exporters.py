# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import PLAIN, RECORD, record_5, set_of, template, v5, v9

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.exporters import page
from fleutan.faces.cli.terminal import Screen
from fleutan.sources.exported import Exporters, decoded
from fleutan.sources.exporters import Accounts, Problem


def drawn(*strings: bytes, width: int = 160) -> list[str]:
    accounts = Accounts()
    found = decoded(datagrams(*strings), Exporters())
    accounts.add(found)
    return list(page(accounts.table(), accounts.problems(), Look(Screen(width, 24))))


def test_nothing_came() -> None:
    assert drawn() == ["no datagram"]


def test_only_what_is_there_has_a_column() -> None:
    title, _, heading, row = drawn(v5(record_5(), record_5()))
    assert title == "1 datagrams  1 exporter"
    assert heading.split() == ["EXPORTER", "PROTOCOL", "DOMAIN", "DATAGRAMS", "OCTETS", "FLOW", "RECORDS", "MISSING"]
    assert row.split() == ["192.0.2.1", "netflow-5", "258", "1", "120B", "2", "0"]


def test_problems_stand_below() -> None:
    lines = drawn(
        v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD)),
        v9(set_of(0, template(256, *PLAIN)), set_of(5, bytes(4))),
        b"nonsense",
    )
    assert lines[0] == "3 datagrams  2 exporters"
    assert lines[-1].startswith("1 x NetFlow: ")
    accounts = Accounts()
    accounts.add(decoded(datagrams(v5(record_5())), Exporters()))
    [*_, last] = page(accounts.table(), [Problem("flow_sample", "cut", 1234)], Look(Screen(20, 24)))
    assert last == "1,234 x flow_sample…"


def test_eighty_columns_hold_it() -> None:
    lines = drawn(v5(record_5()), v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD)), b"x", width=80)
    assert max(map(len, lines)) <= 80
    assert all("DATAGRAMS" in line for line in lines[2:3])
