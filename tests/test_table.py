# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.errors import UsageError
from fleutan.table import Reading, Result, Table

MAPPED = 0xFFFF << 32


@pytest.fixture
def flows() -> Table:
    owners = Table("owners", {"owner": Column(np.array([0, 1])), "pid": Column(np.array([10, 20]))})
    columns = {
        "src": Column(np.array([[0, MAPPED | 0x0A000001], [0, MAPPED | 0x0A000002], [1 << 60, 7]])),
        "rtt": Column(np.array([100, 0, 300]), np.array([True, False, True])),
        "comm": text_column(["nginx", None, "sshd"]),
        "owner": Column(np.array([0, 0, 1])),
        "retrans": Column(np.array([0, 1, 2])),
    }
    return Table("flows", columns, Reading(host="h", source="test"), {"owners": owners})


def test_columns_by_name_key_and_alias(flows: Table) -> None:
    assert flows["retrans"].tolist() == [0, 1, 2]
    assert flows["rtt_us"].tolist() == [100, None, 300]
    assert flows["rtt"].sum() == 400
    assert flows["command"].tolist() == ["nginx", None, "sshd"]
    assert flows["local"].tolist() == ["10.0.0.1", "10.0.0.2", "1000::7"]
    assert "rtt" in flows
    assert "cwnd" not in flows
    assert [field.key for field in flows.fields()] == ["src", "rtt_us", "comm", "owner", "retrans"]


def test_an_absent_column_is_named(flows: Table) -> None:
    with pytest.raises(UsageError, match="no column 'min_rtt'; did you mean"):
        flows["min_rtt"]
    with pytest.raises(UsageError, match="no column 'cwnd'"):
        Table("flows", {}).column("cwnd")
    with pytest.raises(UsageError, match="no field is called"):
        flows["nonsense"]


def test_columns_have_one_length() -> None:
    with pytest.raises(ValueError, match="unequal length"):
        Table("flows", {"rtt": Column(np.array([1])), "retrans": Column(np.array([1, 2]))})


def test_rows_are_dicts_by_key(flows: Table) -> None:
    assert list(flows.select(["comm", "rtt"]).rows()) == [
        {"comm": "nginx", "rtt_us": 100},
        {"comm": None, "rtt_us": None},
        {"comm": "sshd", "rtt_us": 300},
    ]


def test_take_and_replace(flows: Table) -> None:
    assert len(flows.take(np.array([True, False, True]))) == 2
    assert flows.take(np.array([2, 0]))["comm"].tolist() == ["sshd", "nginx"]
    assert flows.with_columns({"rtt": Column(np.array([1, 2, 3]))})["rtt"].tolist() == [1, 2, 3]
    assert len(Table("flows", {})) == 0


def test_sql_sees_the_table_and_its_relations(flows: Table) -> None:
    found = flows.sql("SELECT comm, pid FROM flows JOIN owners USING (owner) WHERE rtt_us > $least", {"least": 50})
    assert found.names == ["comm", "pid"]
    assert sorted(found) == [("nginx", 10), ("sshd", 20)]
    assert found.dicts()[0].keys() == {"comm", "pid"}
    assert len(found) == 2
    assert flows.sql("SELECT count(*) FROM flows WHERE src_hi = ?", [0]).rows == [(2,)]


def test_sql_errors_are_one_line(flows: Table) -> None:
    with pytest.raises(UsageError, match="SQL: ") as caught:
        flows.sql("SELECT nothing FROM flows")
    assert "\n" not in str(caught.value)


def test_sql_reaches_no_file(flows: Table) -> None:
    with pytest.raises(UsageError, match="SQL: Permission"):
        flows.sql("SELECT * FROM read_csv('/etc/passwd')")


def test_other_libraries(flows: Table) -> None:
    assert flows.polars()["comm"].to_list() == ["nginx", None, "sshd"]
    frame = flows.pandas()
    assert list(frame.columns) == ["src", "rtt_us", "comm", "owner", "retrans"]
    assert frame["rtt_us"].sum() == 400


def test_shows_itself(flows: Table) -> None:
    assert repr(flows) == "<Table flows: 3 rows, 5 fields, test>"
    page = Table("flows", {"comm": text_column(["<b>", None] * 30)})._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "40 more rows" in page
    assert "more rows" not in Result(["a"], [(1,)])._repr_html_()
