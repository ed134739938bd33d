# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.volume import GIVES, NEEDS, columns
from fleutan.column import Column
from fleutan.table import Table

U64 = (1 << 63) - 1
ROW = st.fixed_dictionaries({name: st.one_of(st.none(), st.integers(0, U64), st.integers(0, 3)) for name in NEEDS})


def flows(rows: list[dict[str, int | None]]) -> Table:
    return Table(
        "flows",
        {
            name: Column(
                np.array([row[name] or 0 for row in rows], np.int64),
                np.array([row[name] is not None for row in rows], np.bool_),
            )
            for name in NEEDS
        },
    )


def reference(row: dict[str, int | None]) -> dict[str, float | None]:
    def product(*names: str) -> float | None:
        values = [row[name] for name in names]
        return None if None in values else float(np.prod([float(value or 0) for value in values]))

    window, carried = product("cwnd", "mss"), product("delivery_rate", "min_rtt")
    rtt, sent, again = row["rtt"], row["bytes_sent"], row["bytes_retrans"]
    return {
        "cwnd_bytes": window,
        "cwnd_rate": window * 8e6 / rtt if window is not None and rtt else None,
        "bdp": None if carried is None else carried / 8e6,
        "retrans_share": again / sent if again is not None and sent else None,
    }


@given(st.lists(ROW, min_size=1))
def test_the_formulas_hold_and_unknown_stays_unknown(rows: list[dict[str, int | None]]) -> None:
    found = columns(flows(rows))
    assert tuple(found) == GIVES
    for index, row in enumerate(rows):
        for name, expected in reference(row).items():
            value = found[name].objects()[index]
            if expected is None:
                assert value is None
            else:
                tolerance = (1e-6 if name == "retrans_share" else 1) + abs(expected) * 1e-9
                assert abs(value - min(expected, (1 << 63) - 1024)) <= tolerance


def test_plain_figures() -> None:
    figures = (100, 1448, 50_000, 20_000_000, 40_000, 1000, 3000)
    row: dict[str, int | None] = dict(zip(NEEDS, figures, strict=True))
    found = {name: column.objects()[0] for name, column in columns(flows([row])).items()}
    assert found == {"cwnd_bytes": 144_800, "cwnd_rate": 23_168_000, "bdp": 100_000, "retrans_share": 0.333333}


def test_a_table_without_the_fields_has_unknown_figures() -> None:
    found = columns(Table("flows", {"cookie": Column(np.arange(2))}))
    assert [column.objects() for column in found.values()] == [[None, None]] * 4
