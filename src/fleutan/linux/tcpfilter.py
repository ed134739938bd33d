# SPDX-License-Identifier: Apache-2.0
"""Classic BPF programs that let through only TCP segments which can be answers to probes.

A raw TCP socket is given every TCP segment that comes to this host.  On a busy one all but a few
have to be thrown away in the kernel, at a small cost each.  What lives here writes the programs;
attaching them is the business of ``probing``.

An answer is a reset, a SYN-ACK, or an acknowledgement without payload: bulk data of a probed
connection is none.  Who may have sent it is searched as in a balanced tree, so that hundreds of
flows cost some ten comparisons a segment.

Instructions: include/uapi/linux/filter.h, bpf_common.h (Documentation/networking/filter.rst).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from struct import Struct
from typing import NamedTuple

#: BPF_MAXINSNS: the kernel takes no longer program.
MOST = 4096


class Peer(NamedTuple):
    """Where answers come from: IP version (4 or 6), address (4 or 16 octets) and port, and our own port."""

    family: int
    address: bytes
    port: int
    own_port: int


class _Instruction(NamedTuple):
    """struct sock_filter: operation, how many instructions a jump skips if true and if false, operand."""

    code: int
    k: int = 0
    true: int = 0
    false: int = 0


#: SKF_NET_OFF: offsets from here count from the IP header; a raw IPv6 socket's data begin behind it.
_NETWORK = -0x100000 & 0xFFFF_FFFF
#: Where the source address stands in the IP header, and its length in words.
_SOURCE = {4: (12, 1), 6: (8, 4)}
_STRUCT = Struct("=HBBI")
# BPF_LD | BPF_ABS, BPF_LD | BPF_IND, BPF_LD | BPF_LEN, BPF_LDX, BPF_ALU, BPF_JMP, BPF_RET, BPF_MISC
_LOAD_WORD, _LOAD_WORD_X, _LOAD_HALF_X, _LOAD_BYTE_X, _LOAD_LENGTH = 0x20, 0x40, 0x48, 0x50, 0x80
_STORE, _LOAD_STORED = 0x02, 0x60  # BPF_ST, BPF_LD | BPF_MEM: one of 16 words that a program has
_LDX_IMMEDIATE, _LDX_HEADER_LENGTH, _AND, _SHIFT_RIGHT, _ADD_X, _TAX = 0x01, 0xB1, 0x54, 0x74, 0x0C, 0x07
_JUMP, _IF_EQUAL, _IF_EQUAL_X, _IF_AT_LEAST, _IF_ANY, _RETURN = 0x05, 0x15, 0x1D, 0x35, 0x45, 0x06
_FARTHEST = 255
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10

_REFUSE = _Instruction(_RETURN, 0)
_ACCEPT = _Instruction(_RETURN, 0xFFFF)
#: Puts into X where TCP's header begins: of raw IPv4 sockets' data behind IP's, of IPv6's at once.
_TO_TCP = {4: _Instruction(_LDX_HEADER_LENGTH, 0), 6: _Instruction(_LDX_IMMEDIATE, 0)}

#: Lets nothing through.
NOTHING = _STRUCT.pack(_REFUSE.code, 0, 0, _REFUSE.k)


def programs(family: int, peers: Iterable[Peer]) -> Iterator[bytes]:
    """Programs for a raw TCP socket of this IP version, the most exact first, each at most MOST long.

    The first lets through answers of these peers only, the second whatever has the form of an
    answer and goes to one of our ports, the last whatever has the form of an answer.  There is
    room for some 670 peers of IPv4 or 330 of IPv6 in the first, for some 1,000 ports in the
    second; a kernel may take less (net.core.optmem_max): then the next is to be tried.
    """
    wanted = {peer for peer in peers if peer.family == family}
    if not wanted:
        yield NOTHING
        return
    form = _form(family)
    for search in (_of_peers(family, wanted), _of_ports({peer.own_port for peer in wanted}), [_ACCEPT]):
        program = [*form, *search]
        if len(program) <= MOST:
            yield b"".join(_STRUCT.pack(code, true, false, k) for code, k, true, false in program)


def _form(family: int) -> list[_Instruction]:
    """Refuses what has not the form of an answer; else goes on behind, with the start of TCP's header in X."""
    to_tcp = _TO_TCP[family]
    return [
        to_tcp,
        _Instruction(_LOAD_BYTE_X, 13),
        _Instruction(_IF_ANY, _RST, true=11),
        _Instruction(_IF_ANY, _ACK, false=9),
        _Instruction(_IF_ANY, _SYN, true=9),
        _Instruction(_IF_ANY, _FIN, true=7),
        _Instruction(_LOAD_BYTE_X, 12),  # the header's length, in words, in the upper half
        _Instruction(_AND, 0xF0),
        _Instruction(_SHIFT_RIGHT, 2),
        _Instruction(_ADD_X),
        _Instruction(_TAX),
        _Instruction(_LOAD_LENGTH),
        _Instruction(_IF_EQUAL_X, true=1),  # all there is are headers
        _REFUSE,
        to_tcp,
    ]


def _of_peers(family: int, peers: Collection[Peer]) -> list[_Instruction]:
    by_ports: dict[int, list[bytes]] = {}
    for peer in sorted(peers):
        by_ports.setdefault(peer.port << 16 | peer.own_port, []).append(peer.address)
    cases = [(ports, _of_addresses(family, addresses)) for ports, addresses in sorted(by_ports.items())]
    return [*_stored_source(family), _Instruction(_LOAD_WORD_X, 0), *_tree(cases)]


def _of_ports(ports: Collection[int]) -> list[_Instruction]:
    return [_Instruction(_LOAD_HALF_X, 2), *_tree([(port, [_ACCEPT, _REFUSE]) for port in sorted(ports)])]


def _stored_source(family: int) -> list[_Instruction]:
    """Keeps the source's words at hand: each load from a packet becomes several instructions in the kernel."""
    offset, words = _SOURCE[family]
    loads = (_Instruction(_LOAD_WORD, _NETWORK + offset + 4 * word) for word in range(words))
    return [each for word, load in enumerate(loads) for each in (load, _Instruction(_STORE, word))]


def _of_addresses(family: int, addresses: Iterable[bytes]) -> list[_Instruction]:
    """Accepts if the source is one of these; one after the other, since few share both ports."""
    words = _SOURCE[family][1]
    made: list[_Instruction] = []
    for address in addresses:
        for word in range(words):
            behind = 2 * (words - word) - 1  # to the next address: this one's other words, and its _ACCEPT
            value = int.from_bytes(address[4 * word : 4 * word + 4], "big")
            made += [_Instruction(_LOAD_STORED, word), _Instruction(_IF_EQUAL, value, false=behind)]
        made.append(_ACCEPT)
    return [*made, _REFUSE]


def _tree(cases: list[tuple[int, list[_Instruction]]]) -> list[_Instruction]:
    """Goes to the instructions of the case that A equals, by halves of the (ordered) cases; else refuses.

    The instructions of each case end with a refusal.
    """
    if len(cases) == 1:
        [(value, then)] = cases
        return [*_skip_unless(_IF_EQUAL, value, len(then) - 1), *then]
    middle = len(cases) // 2
    lower, upper = _tree(cases[:middle]), _tree(cases[middle:])
    return [*_skip_if(_IF_AT_LEAST, cases[middle][0], len(lower)), *lower, *upper]


def _skip_if(condition: int, value: int, count: int) -> list[_Instruction]:
    # A conditional jump skips _FARTHEST instructions at most, an unconditional one any number.
    if count <= _FARTHEST:
        return [_Instruction(condition, value, true=count)]
    return [_Instruction(condition, value, false=1), _Instruction(_JUMP, count)]


def _skip_unless(condition: int, value: int, count: int) -> list[_Instruction]:
    if count <= _FARTHEST:
        return [_Instruction(condition, value, false=count)]
    return [_Instruction(condition, value, true=1), _Instruction(_JUMP, count)]
