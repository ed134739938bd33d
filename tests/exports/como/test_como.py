# SPDX-License-Identifier: Apache-2.0
"""Every form of every module; the golden ones are read by people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import pytest
from tests.exports.como import answers
from tests.exports.como.answers import SECOND, some, text

from fleutan.errors import UsageError
from fleutan.exports import como
from fleutan.exports.como.options import Options
from fleutan.table import Table

TABLES = {
    "traffic": answers.TRAFFIC,
    "tuple": answers.TUPLE,
    "topaddr": answers.TOPADDR,
    "topports": answers.TOPPORTS,
    "flowcount": answers.FLOWCOUNT,
    "protocol": answers.PROTOCOL,
    "ethtypes": answers.ETHTYPES,
    "trace": answers.TRACE,
    "flow-reassembly": answers.TUPLE,
}
FORMS = [(module, form) for module, forms in como.FORMATS.items() for form in forms]
TEXTS = [pair for pair in FORMS if not pair[1].startswith("pcap")]
OPTIONS = {
    "traffic": Options(60 * SECOND, ZoneInfo("Europe/Paris")),
    "topaddr": Options(url="/tuple?time=-1h:0", url_args=("source=tuple", "filter=tcp and <b>"), side="src"),
    "topports": Options(names={(80, "tcp"): "Web & more"}),
    "protocol": Options(include=(47,)),
}


def test_every_module_has_forms_and_an_answer_here() -> None:
    assert list(como.FORMATS) == list(TABLES)


@pytest.mark.parametrize(("module", "form"), TEXTS)
def test_golden(module: str, form: str, golden: Callable[[str, str], None]) -> None:
    golden(f"como-{module}-{form}", text(module, form, [TABLES[module]], OPTIONS.get(module)))


@pytest.mark.parametrize(("module", "form"), FORMS)
def test_it_is_the_same_whichever_tables_the_rows_come_in(module: str, form: str) -> None:
    table, options = TABLES[module], OPTIONS.get(module, Options(link_types=(1, 101)))
    rows = [some(table, row) for row in range(len(table))]
    whole = b"".join(como.written(module, form, [table], options))
    assert b"".join(como.written(module, form, [some(table), *rows], options)) == whole


@pytest.mark.parametrize(("module", "form"), FORMS)
def test_no_table_gives_what_a_table_without_rows_gives(module: str, form: str) -> None:
    nothing = b"".join(como.written(module, form, [], Options()))
    empty = some(TABLES[module])
    assert b"".join(como.written(module, form, [empty], Options())) == nothing


@pytest.mark.parametrize(("module", "form"), TEXTS)
def test_rows_are_written_as_they_come(module: str, form: str) -> None:
    """Whoever waits for new rows gets those that are there: of ``protocol`` all but the last interval."""
    taken = []

    def tables() -> Iterator[Table]:
        for number in range(3):
            taken.append(number)
            yield TABLES[module].with_columns(
                {"time": answers.ints(*[number * SECOND] * len(TABLES[module]))} if module != "tuple" else {}
            )

    pieces = como.written(module, form, tables(), Options())
    for piece in pieces:
        if len(taken) == 2:
            assert piece
            break
    assert taken == [0, 1]


def test_default_forms() -> None:
    assert {module: como.default_format(module) for module in como.FORMATS} == {
        **dict.fromkeys(("traffic", "tuple", "topaddr", "topports", "trace"), "pretty"),
        "flowcount": "gnuplot",
        **dict.fromkeys(("protocol", "ethtypes", "flow-reassembly"), "plain"),
    }


def test_what_there_is_not_is_a_wrong_question() -> None:
    with pytest.raises(UsageError, match="traffic has no format 'sidebox'; it has pretty, plain, gnuplot, mbps"):
        como.written("traffic", "sidebox", [], Options())
    with pytest.raises(UsageError, match="'talkers'"):
        como.default_format("talkers")


def test_media_types() -> None:
    assert como.media_type("sidebox").startswith("text/html")
    assert como.media_type("gnuplot").startswith("text/plain")
    assert como.media_type("pcap") == "application/vnd.tcpdump.pcap"
