# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import capabilities, libbpf
from fleutan.linux.libbpf import BpfObject
from fleutan.linux.maps import Map, possible_cpus

FOLDER = Path(libbpf.__file__).with_name("bpf")
ELF = (FOLDER / "traffic.bpf.o").read_bytes()

pytestmark = pytest.mark.skipif(
    bool(capabilities.missing(libbpf.CAPABILITIES)) or not capabilities.has_btf() or not capabilities.find_library(),
    reason="needs CAP_BPF and CAP_PERFMON, the kernel's BTF and libbpf.so.1",
)


@pytest.fixture
def programs() -> Iterator[BpfObject]:
    sizes = {"flows_0": 8, "flows_1": 8, "others_0": 8, "others_1": 8}
    with BpfObject("traffic", ELF, sizes=sizes) as loaded:
        yield loaded


@pytest.fixture
def table(programs: BpfObject) -> Map:
    return Map(programs.map("flows_0"))


def key(number: int) -> bytes:
    return number.to_bytes(64, "little")


def value(number: int) -> bytes:
    return number.to_bytes(48, "little")


def test_a_map_says_how_large_it_is(programs: BpfObject, table: Map) -> None:
    assert (table.key_size, table.value_size, table.max_entries) == (64, 48, 8)
    cells = Map(programs.map("cells"))
    assert (cells.key_size, cells.value_size, cells.max_entries) == (4, 128, 512)


def test_what_is_put_is_there_until_it_is_removed(table: Map) -> None:
    assert table.get(key(1)) is None
    table.put(key(1), value(5))
    table.put(key(1), value(6))
    assert table.get(key(1)) == value(6)
    assert table.remove(key(1))
    assert not table.remove(key(1))
    assert table.get(key(1)) is None


def test_all_entries_are_read_and_drained_in_one_call(table: Map) -> None:
    table.put_all(b"".join(map(key, range(8))), b"".join(map(value, range(100, 108))))
    wanted = {(key(number), value(100 + number)) for number in range(8)}
    for take in (table.read, table.drain):
        entries = take()
        assert entries.rows == 8
        keys = (bytes(entries.keys[at : at + 64]) for at in range(0, 8 * 64, 64))
        values = (bytes(entries.values[at : at + 48]) for at in range(0, 8 * 48, 48))
        assert set(zip(keys, values, strict=True)) == wanted
    for take in (table.read, table.drain):
        entries = take()
        assert (entries.rows, len(entries.keys), len(entries.values)) == (0, 0, 0)


def test_an_array_has_all_its_entries(programs: BpfObject) -> None:
    cells = Map(programs.map("cells"))
    entries = cells.read()
    assert entries.rows == 512
    assert bytes(entries.values) == bytes(512 * 128)


def test_a_full_map_takes_no_more(table: Map) -> None:
    table.put_all(b"".join(map(key, range(8))), bytes(8 * 48))
    with pytest.raises(FleutanError, match="the kernel does not write to the map: argument list too long"):
        table.put(key(9), value(0))
    with pytest.raises(FleutanError, match="does not write to the map"):
        table.put_all(key(10), value(0))


def test_a_descriptor_of_something_else_is_refused() -> None:
    with open("/dev/null") as other, pytest.raises(FleutanError, match="does not describe the map: invalid argument"):
        Map(other.fileno())


def test_what_an_array_refuses_is_an_error(programs: BpfObject) -> None:
    cells = Map(programs.map("cells"))
    with pytest.raises(FleutanError, match="does not remove from the map"):
        cells.remove(bytes(4))
    with pytest.raises(FleutanError, match="does not read the map"):
        Map(programs.map("tables")).drain()


def test_a_map_per_cpu_has_a_value_for_each_possible_cpu() -> None:
    with BpfObject("drops", (FOLDER / "drops.bpf.o").read_bytes()) as programs:
        rest = Map(programs.map("rest_0"))
        assert rest.value_size % (8 * possible_cpus()) == 0
        assert rest.read().rows == 0


def test_a_map_that_is_not_there_is_named_as_such(programs: BpfObject) -> None:
    with pytest.raises(NotSupported, match="bpf_object__find_map_by_name"):
        programs.map("nothing")
    programs.close()
    with pytest.raises(ValueError, match="traffic: the maps are not loaded"):
        programs.map("flows_0")


@pytest.mark.parametrize(("text", "number"), [("0\n", 1), ("0-3\n", 4), ("0-1,4,6-7\n", 5)])
def test_possible_cpus(tmp_path: Path, text: str, number: int) -> None:
    (tmp_path / "possible").write_text(text)
    assert possible_cpus(str(tmp_path / "possible")) == number
