# SPDX-License-Identifier: Apache-2.0
"""Addresses as text in SQL, against the ipaddress module."""

from __future__ import annotations

import random
from ipaddress import IPv6Address, ip_address

import duckdb
import numpy as np
import pytest
from tests.lakes import halves

from fleutan import address
from fleutan.past.macros import MACROS

_KNOWN = [
    *("::", "::1", "1::", "1::2", "2001:db8::1", "2001:db8:0:1::3", "1:0:0:2:0:0:0:3", "1:0:0:2:3:0:0:4"),
    *("0:1:0:1:0:1:0:1", "1:0:1:0:1:0:1:0", "0:0:1:1:1:1:1:1", "1:1:1:1:1:1:0:0", "1:0:0:1:1:1:0:0"),
    *("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::", "::8000:0:0:0", "::1:0:0", "fe80::1", "10:100:1000::a"),
    *("::1.2.3.4", "::ffff:0:1.2.3.4", "1.0.0.0", "255.255.255.255", "10.0.0.1", "192.0.2.7"),
]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect()
    for macro in MACROS:
        opened.execute(macro)
    return opened


def test_addresses_are_written_as_rfc_5952_says(connection: duckdb.DuckDBPyConnection) -> None:
    chance = random.Random(1)  # noqa: S311
    groups = ["0", "0", "0", "1", "abcd", "ffff"]
    texts = _KNOWN + [str(IPv6Address(":".join(chance.choice(groups) for _ in range(8)))) for _ in range(2000)]
    given = [halves(text) for text in texts]
    connection.execute("CREATE OR REPLACE TABLE ends (number INTEGER, hi BIGINT, lo BIGINT)")
    connection.executemany("INSERT INTO ends VALUES (?, ?, ?)", [[n, *pair] for n, pair in enumerate(given)])
    rows = connection.execute("SELECT address(hi, lo) FROM ends ORDER BY number").fetchall()
    ours = address.texts(np.array(given, np.int64))
    assert [row[0] for row in rows] == ours
    plain = [text for text in ours if "." not in text or ":" not in text]
    assert len(plain) > 2000
    assert plain == [str(ip_address(text)) for text in plain]


def test_what_is_not_known_stays_so(connection: duckdb.DuckDBPyConnection) -> None:
    assert connection.execute("SELECT address(NULL, NULL)").fetchall() == [(None,)]
