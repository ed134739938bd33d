# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

from fleutan.protocols.sflow.layouts import xdr
from fleutan.protocols.sflow.layouts.xdr import ADDRESS, MAC, U8, U32, U64, Array, Field, Layout, octets, row, string


def test_a_row_gives_each_run_of_names_the_type_behind_it() -> None:
    assert row("a b", "c", U32, "d", MAC) == (Field("a", U32), Field("b", U32), Field("c", U32), Field("d", MAC))


def test_fixed_types_are_as_long_as_struct_says() -> None:
    fixed = [item for item in vars(xdr).values() if isinstance(item, xdr.Fixed)]
    assert len(fixed) > 10
    assert all(struct.calcsize("!" + item.code) == item.size for item in fixed)


def test_a_structure_has_a_length_only_where_all_its_fields_have() -> None:
    assert octets(row("a", U32, "b", U64, "c", MAC, "d e f g", U8)) == 24
    assert octets(()) == 0
    for item in (ADDRESS, string(3), Array(U32), xdr.ELEMENTS, xdr.Choice(((0, "u32", U32),))):
        assert octets(row("a", U32, "b", item)) is None


def test_a_tag_holds_enterprise_and_format() -> None:
    layout = Layout(5703, 1, "nvidia_gpu", row("a b", U32))
    assert layout.tag == 23359489
    assert layout.names == ("a", "b")
