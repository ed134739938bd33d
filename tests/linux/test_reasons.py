# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.linux import capabilities, reasons
from fleutan.linux.reasons import Btf, drop_reasons, drop_sentence, read_btf, reset_reasons, reset_sentence

INT, ENUM, TYPEDEF = 1, 6, 8
Members = dict[str, int]


def btf(enums: dict[str, Members], before: bytes = b"", also: str = "") -> bytes:
    """A BTF file of some types; ``before`` are the strings of the kernel that a module goes on from."""
    strings = b"\0"
    offsets: dict[str, int] = {}

    def text(word: str) -> int:
        nonlocal strings
        if word not in offsets:
            offsets[word] = len(before) + len(strings)
            strings += word.encode() + b"\0"
        return offsets[word]

    types = struct.pack("=4I", text("int"), INT << 24, 4, 32)
    for name, members in enums.items():
        types += struct.pack("=3I", text(name), TYPEDEF << 24, 1)  # something else of the same name before it
        types += struct.pack("=3I", text(name), ENUM << 24 | len(members), 4)
        types += b"".join(struct.pack("=2I", text(member), number) for member, number in members.items())
    strings += also.encode()
    head = struct.pack("=HBBI4I", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return head + types + strings


def strings_of(data: bytes) -> bytes:
    (offset,) = struct.unpack_from("=I", data, 16)
    return data[24 + offset :]


KERNEL = btf(
    {
        "skb_drop_reason": {"SKB_CONSUMED": 1, "SKB_DROP_REASON_NO_SOCKET": 3, "SKB_DROP_REASON_NEW": 900},
        "sk_rst_reason": {"SK_RST_REASON_NO_SOCKET": 1},
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A kernel whose wireless module adds a reason."""
    (tmp_path / "vmlinux").write_bytes(KERNEL)
    module = btf({"mac80211_drop_reason": {"RX_DROP_U_MIC_FAIL": 0x10001}}, strings_of(KERNEL))
    (tmp_path / "mac80211").write_bytes(module)
    return tmp_path


def test_names_are_those_of_the_kernel_and_its_modules(folder: Path) -> None:
    assert drop_reasons(str(folder)) == {1: "SKB_CONSUMED", 3: "NO_SOCKET", 900: "NEW", 0x10001: "MIC_FAIL"}
    assert reset_reasons(str(folder)) == {1: "NO_SOCKET"}


def test_a_module_may_use_names_of_the_kernel() -> None:
    kernel = Btf(KERNEL)
    own = b"\0ovs_drop_reason\0"
    first = strings_of(KERNEL)
    types = struct.pack("=5I", len(first) + 1, ENUM << 24 | 1, 4, first.find(b"int"), 7)
    data = struct.pack("=HBBI4I", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(own)) + types + own
    assert Btf(data, kernel).enum("ovs_drop_reason") == {7: "int"}


def test_a_kernel_that_tells_nothing_names_nothing(tmp_path: Path) -> None:
    assert drop_reasons(str(tmp_path)) == {}
    (tmp_path / "vmlinux").write_bytes(b"no BTF at all, though long enough")
    assert read_btf(str(tmp_path / "vmlinux")) is None
    (tmp_path / "short").write_bytes(KERNEL[:20])
    assert read_btf(str(tmp_path / "short")) is None


def test_what_is_no_enum_has_no_names() -> None:
    assert Btf(KERNEL).enum("int") == {}
    assert Btf(KERNEL).enum("nothing") == {}


@pytest.mark.parametrize("length", range(24, len(KERNEL)))
def test_a_file_cut_off_anywhere_gives_fewer_names(length: int) -> None:
    whole = Btf(KERNEL).enum("skb_drop_reason")
    assert len(Btf(KERNEL[:length]).enum("skb_drop_reason")) <= len(whole)


@given(st.integers(24, len(KERNEL) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_survived(place: int, bit: int) -> None:
    broken = bytearray(KERNEL)
    broken[place] ^= 1 << bit
    found = Btf(bytes(broken)).enum("skb_drop_reason")
    assert all(isinstance(name, str) for name in found.values())


@pytest.mark.skipif(not capabilities.has_btf(), reason="needs the kernel's BTF")
def test_this_kernels_reasons_all_have_a_sentence() -> None:
    unsaid = {"MAX", "SUBSYS_MASK"}
    assert {name for name in drop_reasons().values() if drop_sentence(name) is None} <= unsaid
    assert {name for name in reset_reasons().values() if reset_sentence(name) is None} <= unsaid
    assert "NO_SOCKET" in drop_reasons().values()


def test_sentences_are_short_and_plain() -> None:
    for table in (reasons.DROPS, reasons.RESETS):
        for name, said in table.items():
            assert name == name.upper()
            assert 0 < len(said) < 90
            assert not said.endswith(".")


def test_a_reason_of_a_later_kernel_has_no_sentence_yet() -> None:
    assert drop_sentence("NEVER_HEARD_OF") is None
    assert reset_sentence("NEVER_HEARD_OF") is None
