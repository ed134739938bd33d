# SPDX-License-Identifier: Apache-2.0
"""The dump against a kernel of canned batches, and against the real one."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import pytest

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import sockdiag

DONE, ERROR, SOCKET = 3, 2, 20
MULTI, INTERRUPTED = 0x2, 0x10
FOUR, SIX = socket.AF_INET, socket.AF_INET6
SO_COOKIE = 57
Batch = bytes | OSError


def message(family: int, body: bytes, kind: int = SOCKET, flags: int = MULTI) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, family, 4711) + body


def done(family: int, code: int = 0, flags: int = MULTI) -> bytes:
    return message(family, struct.pack("=i", -code), DONE, flags)


class Canned:
    """Answers with the given batches, one after the other."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches = list(batches)
        self.heard: list[bytes] = []
        self.closed = False

    def send(self, data: bytes, /) -> int:
        self.heard.append(data)
        return len(data)

    def recvmsg_into(self, buffers: list[memoryview], /) -> tuple[int, list[object], int, None]:
        batch = self.batches.pop(0)
        if isinstance(batch, OSError):
            raise batch
        (room,) = buffers
        size = min(len(batch), len(room))
        room[:size] = batch[:size]
        return size, [], socket.MSG_TRUNC if size < len(batch) else 0, None

    def __enter__(self) -> Canned:
        return self

    def __exit__(self, *trouble: object) -> None:
        self.closed = True


class Kernels:
    """Hands out one canned kernel for every attempt."""

    def __init__(self, *attempts: Iterable[Batch]) -> None:
        self.left = [Canned(batches) for batches in attempts]
        self.used: list[Canned] = []
        self.buffers: list[int] = []

    def __call__(self, receive_bytes: int) -> Canned:
        self.buffers.append(receive_bytes)
        self.used.append(self.left.pop(0))
        return self.used[-1]


def dumped(kernels: Kernels, protocol: int = 6) -> sockdiag.Dump:
    found = sockdiag.dump(protocol, connect=kernels)
    assert all(kernel.closed for kernel in kernels.used)
    return found


def test_both_families_are_asked_and_their_messages_joined() -> None:
    a, b, c = (message(family, bytes([number]) * 72) for number, family in ((1, FOUR), (2, FOUR), (3, SIX)))
    kernels = Kernels([a, b, done(FOUR), c + done(SIX)])
    found = dumped(kernels)
    assert bytes(found.data) == a + b + c
    assert found.data.readonly
    assert not found.interrupted
    asked = [struct.unpack("=IHHIIBBBxI48x", heard) for heard in kernels.used[0].heard]
    assert asked == [(72, 20, 0x301, family, 0, family, 6, 0xFE, 0xFFE) for family in (FOUR, SIX)]


def test_states_are_passed_on() -> None:
    kernels = Kernels([done(FOUR), done(SIX)])
    assert bytes(sockdiag.dump(17, 1 << 7, kernels).data) == b""
    assert struct.unpack_from("=I", kernels.used[0].heard[0], 20) == (1 << 7,)


def test_high_protocol_goes_into_an_attribute() -> None:
    asked = sockdiag.request(262, SIX, sockdiag.ALL_STATES)
    assert struct.unpack_from("=I", asked) == (len(asked),)
    assert asked[17] == 0
    assert struct.unpack("=HHI", asked[72:]) == (8, 3, 262)


def test_what_looks_like_the_end_is_a_socket() -> None:
    like_the_end = message(FOUR, bytes(72) + done(FOUR))
    assert bytes(dumped(Kernels([like_the_end, done(FOUR), done(SIX)])).data) == like_the_end


def test_a_length_of_nothing_does_not_stop_the_search_for_the_end() -> None:
    broken = bytes(8) + struct.pack("=II", FOUR, 0)
    assert bytes(dumped(Kernels([broken + done(FOUR), done(SIX)])).data) == broken


def test_memory_grows_with_the_dump() -> None:
    batches = [b"".join(message(FOUR, bytes([place]) * 484) for _ in range(64)) for place in range(60)]
    assert bytes(dumped(Kernels([*batches, done(FOUR), done(SIX)])).data) == b"".join(batches)


def test_answers_to_other_questions_are_ignored() -> None:
    stale = message(99, bytes(72))
    assert bytes(dumped(Kernels([stale, done(99), done(FOUR), done(SIX)])).data) == b""


def test_acknowledgement_is_no_error() -> None:
    acknowledged = message(FOUR, bytes(20), ERROR)
    assert bytes(dumped(Kernels([acknowledged, done(FOUR), done(SIX)])).data) == b""


def test_inconsistent_dump_is_read_again() -> None:
    row = message(FOUR, bytes(72))
    kernels = Kernels([row, done(FOUR, flags=INTERRUPTED), done(SIX)], [row + done(FOUR), done(SIX)])
    assert tuple(dumped(kernels)) == (row, False)
    assert len(kernels.used) == 2


@pytest.mark.parametrize("where", ["row", "end"])
def test_dump_that_stays_inconsistent_says_so(where: str) -> None:
    row = message(SIX, bytes(72), flags=INTERRUPTED if where == "row" else MULTI)
    batches = [done(FOUR), row, done(SIX, flags=INTERRUPTED if where == "end" else MULTI)]
    kernels = Kernels(*[batches] * sockdiag.TRIES)
    assert tuple(dumped(kernels)) == (row, True)
    assert len(kernels.used) == sockdiag.TRIES


@pytest.mark.parametrize(
    "trouble",
    [OSError(errno.ENOBUFS, "full"), bytes(1 << 20), b"short", message(FOUR, struct.pack("=i", -errno.EBUSY), ERROR)],
    ids=["no buffers", "truncated", "short", "busy"],
)
def test_what_did_not_fit_is_read_again_with_more_room(trouble: Batch) -> None:
    kernels = Kernels([trouble], [done(FOUR), done(SIX)])
    assert tuple(dumped(kernels)) == (b"", False)
    assert kernels.buffers == [1 << 20, 4 << 20]


def test_what_never_fits_is_an_error() -> None:
    kernels = Kernels(*[[OSError(errno.ENOBUFS, "full")]] * sockdiag.TRIES)
    with pytest.raises(FleutanError, match="listing tcp sockets: netlink sock_diag: full") as caught:
        dumped(kernels)
    assert not isinstance(caught.value, NotSupported)
    assert kernels.buffers == [1 << 20, 4 << 20, 16 << 20]


@pytest.mark.parametrize("answer", [done, lambda family, code: message(family, struct.pack("=i", -code), ERROR)])
@pytest.mark.parametrize(
    ("code", "protocol", "said"),
    [
        (errno.ENOENT, 17, r"listing udp sockets: this kernel does not offer it \(no udp_diag\); try: modprobe udp_"),
        (errno.EOPNOTSUPP, 41, r"listing protocol 41 sockets: .*modprobe inet_diag$"),
        (errno.EPERM, 262, "listing mptcp sockets: netlink sock_diag: Operation not permitted; run as root"),
    ],
)
def test_refusals_name_the_remedy(answer: Callable[[int, int], bytes], code: int, protocol: int, said: str) -> None:
    with pytest.raises(NotSupported, match=said):
        dumped(Kernels([answer(FOUR, code)]), protocol)


def test_other_errors_are_named() -> None:
    for batch in (done(FOUR, errno.EIO), message(FOUR, b"", ERROR)):
        with pytest.raises(FleutanError, match=r"listing sctp sockets: netlink sock_diag: (Input|Bad message)"):
            dumped(Kernels([batch]), 132)


def test_kernel_without_netlink() -> None:
    def refuse(receive_bytes: int) -> Canned:
        raise OSError(errno.EPROTONOSUPPORT, "no netlink")

    with pytest.raises(NotSupported, match="does not offer it"):
        sockdiag.dump(6, connect=refuse)


def test_socket_that_cannot_be_prepared_is_closed() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises((OverflowError, TypeError)):
        sockdiag.open_socket(1 << 40)
    assert len(os.listdir("/proc/self/fd")) == before


def as_user(uid: int) -> AbstractContextManager[None]:
    class User(AbstractContextManager[None]):
        def __enter__(self) -> None:
            os.seteuid(uid)

        def __exit__(self, *trouble: object) -> None:
            os.seteuid(0)

    return User() if os.geteuid() == 0 else nullcontext()


@pytest.mark.parametrize("uid", [0, 65534])
def test_real_kernel_lists_a_listener(uid: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, as_user(uid):
        cookie = server.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8)
        found = sockdiag.dump(sockdiag.PROTOCOLS["tcp"], 1 << 10)
    assert cookie in bytes(found.data)


def test_real_kernel_does_not_know_every_protocol() -> None:
    with pytest.raises(NotSupported, match="listing protocol 254 sockets"):
        sockdiag.dump(254)
