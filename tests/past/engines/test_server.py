# SPDX-License-Identifier: Apache-2.0
"""ClickHouse by HTTP: what is sent, what comes back, and what can go wrong on the way."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.lakes import AT, LASTS, Rows
from tests.past.engines.questions import QUESTIONS, told
from tests.past.engines.serving import Asked, Said, chdb, serving

from fleutan.errors import FleutanError, UsageError
from fleutan.past.engine import Limits
from fleutan.past.engines.clickhouse import SETTINGS, ClickHouse
from fleutan.past.engines.server import Server
from fleutan.past.engines.where import Where
from fleutan.past.modules import answer
from fleutan.past.request import Request


def at(port: int, user: str = "") -> Where:
    return Where("clickhouse", f"{user}127.0.0.1:{port}")


def test_a_server_answers_as_duckdb_does(kept: Path, right: list[Rows]) -> None:
    pytest.importorskip("chdb", reason="fleutan[clickhouse] is not installed")
    with serving(chdb) as (port, asked), ClickHouse(kept, at(port), Limits()) as lake:
        for number in range(0, len(QUESTIONS), 3):
            assert told(lake, QUESTIONS[number]) == right[number]
    assert all(one.settings == {**SETTINGS, "default_format": "ArrowStream"} for one in asked)


def test_a_user_is_told_apart_and_the_password_is_in_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLICKHOUSE_USER", raising=False)
    monkeypatch.delenv("CLICKHOUSE_PASSWORD", raising=False)
    with serving(lambda _: Said(b"")) as (port, asked):
        for user in ("", "ada@"):
            with closing(Server(f"{user}127.0.0.1:{port}", {})) as server:
                server.ask("SELECT 1", {"filter0": "a&b=ü"})
        monkeypatch.setenv("CLICKHOUSE_USER", "bob")
        monkeypatch.setenv("CLICKHOUSE_PASSWORD", "secret")
        with closing(Server(f"127.0.0.1:{port}", {})) as server:
            server.ask("SELECT 1", {})
    assert [(one.user, one.password) for one in asked] == [(None, None), ("ada", None), ("bob", "secret")]
    assert asked[0].parameters == {"filter0": "a&b=ü"}
    assert asked[0].sql == "SELECT 1"


def test_its_errors_are_told_in_a_line(kept: Path) -> None:
    def refused(_: Asked) -> Said:
        return Said(b"Code: 516. DB::Exception: ada: Authentication failed. (AUTHENTICATION_FAILED)\nmore", 403)

    with serving(refused) as (port, _), ClickHouse(kept, at(port), Limits()) as lake:  # noqa: SIM117
        with pytest.raises(FleutanError, match=r"^ClickHouse: ada: Authentication failed\. \(AUTH\w+\)$"):
            list(answer(lake, Request("topaddr", AT, AT + LASTS)))


@pytest.fixture(scope="module")
def answers(kept: Path) -> dict[str, bytes]:
    """What ClickHouse answers to each part of a question."""
    pytest.importorskip("chdb", reason="fleutan[clickhouse] is not installed")
    found: dict[str, bytes] = {}

    def remembered(asked: Asked) -> Said:
        found[asked.sql] = (said := chdb(asked)).octets
        return said

    with serving(remembered) as (port, _), ClickHouse(kept, at(port), Limits()) as lake:
        assert sum(map(len, answer(lake, REQUEST))) > 300
    return found


REQUEST = Request("tuple", AT, AT + LASTS)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("missing", [1, 8, 9, 500, 0.5, 0.99, 1.0])
def test_an_answer_that_is_cut_off_is_none(kept: Path, answers: dict[str, bytes], missing: float, whole: bool) -> None:
    """What came so far must not be taken for all, neither by the connection's end nor by the stream's."""

    def cut(asked: Asked) -> Said:
        octets = answers[asked.sql]
        if "One)" in asked.sql:
            return Said(octets)
        return Said(
            octets[: len(octets) - int(missing * len(octets) if isinstance(missing, float) else missing)], 200, whole
        )

    with serving(cut) as (port, _), ClickHouse(kept, at(port), Limits()) as lake:  # noqa: SIM117
        with pytest.raises(FleutanError, match="ClickHouse's answer broke off: "):
            list(answer(lake, REQUEST))


def test_a_connection_that_breaks_behind_the_answer_is_told_too(kept: Path, answers: dict[str, bytes]) -> None:
    with serving(lambda asked: Said(answers[asked.sql], whole="One)" in asked.sql)) as (port, _):  # noqa: SIM117
        with ClickHouse(kept, at(port), Limits()) as lake, pytest.raises(FleutanError, match="IncompleteRead"):
            list(answer(lake, REQUEST))


def test_an_error_in_the_middle_is_told_in_its_own_words(kept: Path, answers: dict[str, bytes]) -> None:
    def failing(asked: Asked) -> Said:
        said = b"Code: 241. DB::Exception: Query memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)"
        return Said(answers[asked.sql] if "One)" in asked.sql else answers[asked.sql][:-700] + said, 200, True)

    with serving(failing) as (port, _), ClickHouse(kept, at(port), Limits()) as lake:  # noqa: SIM117
        with pytest.raises(FleutanError, match=r"^ClickHouse: Query memory limit exceeded"):
            list(answer(lake, REQUEST))


def test_who_leaves_in_the_middle_can_ask_again() -> None:
    with serving(lambda asked: Said(asked.sql.encode() * 5000)) as (port, _):
        server = Server(f"127.0.0.1:{port}", {})
        server.open()
        assert server.ask("a", {}).read(3) == b"aaa"
        assert server.ask("b", {}).read() == b"b" * 5000
        assert server.ask("c", {}).read() == b"c" * 5000
        server.close()


def test_nobody_there() -> None:
    with serving(lambda _: Said(b"")) as (port, _):
        pass
    with pytest.raises(FleutanError, match=f"no ClickHouse answers at 127.0.0.1 port {port}: "):
        Server(f"127.0.0.1:{port}", {}).open()
    with pytest.raises(FleutanError, match="does not answer: "):
        Server(f"127.0.0.1:{port}", {}).ask("SELECT 1", {})


@pytest.mark.parametrize("location", ["host:port", "host:99999", "ada:secret@host", "host/path", "@", "[::1"])
def test_what_is_no_place_of_a_server_is_refused(location: str) -> None:
    with pytest.raises(UsageError, match="write"):
        Server(location, {})
