# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lakes import AT, HOUR, MINUTE, SECOND

from fleutan.errors import FleutanError, TimeError, UsageError
from fleutan.past.parameters import MOST_GRANULARITY, MOST_ROWS, PARAMETERS, Moment, understood
from fleutan.past.request import Request
from fleutan.query.expression import Comparison, Everything
from fleutan.query.times import FOREVER

NOW = AT + HOUR
WHEN = Moment(NOW, UTC)


def asked(module: str = "traffic", **words: str) -> Request:
    return understood(module, {name.replace("_", "-"): text for name, text in words.items()}, WHEN).request


def window(**words: str) -> tuple[int, int]:
    """From now, in seconds."""
    found = asked(**words)
    return (found.start_ns - NOW) // SECOND, (found.end_ns - NOW) // SECOND


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, (-3600, 0)),
        ({"time": "-10h:0"}, (-36000, 0)),
        ({"time": "@103000:+10m"}, (-1800, -1200)),
        ({"time": "-1h:20m"}, (-3600, -2400)),
        ({"start": str(AT // SECOND)}, (-3600, 0)),
        ({"start": str(AT // SECOND + 7200)}, (3600, 3600)),
        ({"start": "5", "end": "7.5"}, (5 - NOW // SECOND, 7 - NOW // SECOND)),
        ({"during": "10:10..10:20"}, (-3000, -2400)),
        ({"from": "10:10"}, (-3000, 0)),
        ({"from": "10:10", "to": "10:20"}, (-3000, -2400)),
        ({"since": "90m"}, (-5400, 0)),
        ({"since": "90m", "to": "1h"}, (-5400, -3600)),
        ({"to": "10m"}, (-3600, -600)),
        ({"wait": "no", "since": "1m"}, (-60, 0)),
    ],
)
def test_windows(words: dict[str, str], expected: tuple[int, int]) -> None:
    assert window(**words) == expected


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ({}, NOW, FOREVER),
        ({"since": "5m"}, NOW - 5 * MINUTE, FOREVER),
        ({"from": "10:30"}, AT + HOUR // 2, FOREVER),
        ({"from": "10:30", "to": "+5m"}, AT + HOUR // 2, NOW + 5 * MINUTE),
        ({"start": str(AT // SECOND)}, AT, FOREVER),
        ({"end": str((NOW + MINUTE) // SECOND)}, NOW, NOW + MINUTE),
        ({"time": "-1m:+1m"}, NOW - MINUTE, NOW + MINUTE),
    ],
)
def test_what_goes_on_has_no_end_unless_one_is_said(words: dict[str, str], start: int, end: int) -> None:
    found = asked(wait="yes", **words)
    assert (found.start_ns, found.end_ns) == (start, end)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"colour": "red"}, "no parameter is called 'colour'; there are time, start, end"),
        ({"filte": "tcp"}, "no parameter is called 'filte'; did you mean filter?"),
        ({"time": "-1h:0", "start": "5"}, "time and start both say a time: leave one out"),
        ({"start": "5", "since": "1h"}, "start and from both say a time"),
        ({"from": "1h", "since": "1h"}, "from and since both say a beginning"),
        ({"from": "1h", "to": "2h"}, "the window ends before it begins"),
        ({"wait": "perhaps"}, "wait=perhaps: say yes or no"),
        ({"interval": "0"}, "an interval of 0"),
        ({"interval": "1e-9"}, "."),
        ({"interval": "0.0001"}, "an interval below a millisecond"),
        ({"interval": "30000d", "granularity": "1000000"}, "interval times granularity is longer than time"),
        ({"granularity": "0"}, f"granularity=0: say a number from 1 to {MOST_GRANULARITY}"),
        ({"granularity": "-1"}, "granularity=-1: say a number"),
        ({"granularity": "²"}, "granularity=²: say a number"),
        ({"topn": "many"}, f"topn=many: say a number from 0 to {MOST_ROWS}"),
        ({"topn": "9" * 40}, "topn=9999"),
        ({"limit": "1.5"}, "limit=1.5: say a number"),
        ({"filter": "tcp and"}, "a condition must follow"),
        ({"filter": "from_ds"}, "'from_ds' is not known here"),
    ],
)
def test_what_is_not_understood_is_refused(words: dict[str, str], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        asked(**words)


def test_times_that_are_none_point_at_the_place() -> None:
    with pytest.raises(TimeError, match=r"\^"):
        asked(time="-1x:0")


def test_everything_else_becomes_a_value() -> None:
    found = asked(
        "talkers",
        filter="tcp",
        source="trace",
        interval="5m",
        granularity="2",
        topn="7",
        use_src="",
        keys=" src , dport,",
        measures="bytes",
        order="bytes",
    )
    assert found.filter == Comparison(("proto",), "=", ("tcp",))
    assert (found.module, found.source, found.interval_ns, found.granularity) == ("talkers", "trace", 5 * MINUTE, 2)
    assert (found.top, found.side, found.keys, found.measures) == (7, "src", ("src", "dport"), ("bytes",))
    assert found.order == "bytes"
    plain = asked()
    assert (plain.filter, plain.source, plain.interval_ns, plain.top, plain.side) == (
        Everything(),
        "",
        None,
        None,
        "dst",
    )
    assert (asked(limit="9").top, asked(limit="9", topn="4").top, asked(topn="0").top) == (9, 4, 0)


def test_how_a_time_was_understood_is_noted() -> None:
    assert understood("traffic", {"time": "-1h:20m"}, WHEN).notes == ("20m has no sign: taken as +20m from the start",)


@given(st.dictionaries(st.sampled_from(sorted(PARAMETERS)), st.text(max_size=12), max_size=4))
def test_any_words_give_a_request_or_one_error(words: dict[str, Any]) -> None:
    try:
        found = understood("traffic", words, WHEN).request
    except FleutanError:
        return
    assert 0 <= found.start_ns <= found.end_ns <= FOREVER
