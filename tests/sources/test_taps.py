# SPDX-License-Identifier: Apache-2.0
"""On loopback; tests/namespaces has devices that come and go."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from tests.exports.sflow.test_packets import read

from fleutan.errors import NotSupported
from fleutan.exports.sflow.packets import samples
from fleutan.linux import capabilities
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED
from fleutan.sources.taps import INTERNAL, Tap, Taps, Wanted

needs_raw = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")
DEADLINE = 10.0
LO = socket.if_nametoindex("lo")


class Counts:
    """What devices have carried, as it is told here."""

    def __init__(self, *counts: int | Exception) -> None:
        self._counts = [*counts]

    def __call__(self, wanted: list[int]) -> Mapping[int, int]:
        count = self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]
        if isinstance(count, Exception):
            raise count
        return dict.fromkeys(wanted, count)


def send(many: int, port: int = 40009) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for number in range(many):
            one.sendto(b"x" * 100 + b"%04d" % number, ("127.0.0.1", port))


def sampled(tap: Tap, many: int, matches: Callable[[bytes], bool]) -> list[Sampled]:
    """Batches until so many packets that match have come."""
    found: list[Sampled] = []
    deadline = time.monotonic() + DEADLINE
    while sum(map(matches, (header for one in found for header in one.header.strings()))) < many:
        assert time.monotonic() < deadline, "they never came"
        if (batch := tap.batch(0.0)) is not None:
            found.append(batch)
        time.sleep(0.002)  # a condition is waited for, not a time
    return found


def ours(header: bytes) -> bool:
    return header[36:38] == (40009).to_bytes(2, "big") and header[23] == 17


@needs_raw
def test_packets_of_a_device_are_samples_of_it() -> None:
    with Taps(128, Counts(1000, 1100)) as taps:
        taps.want({LO: Wanted("lo", 1)})
        (tap,) = taps.open
        send(3)
        found = [one for batch in sampled(tap, 6, ours) for one in read(samples(FLOW_SAMPLE_EXPANDED, numbered(batch)))]
    mine = [one for one in found if ours(one.elements[0].named()["header"])]
    assert len(mine) == 6, "out and in"
    for one in mine:
        values, header = one.named(), one.elements[0].named()
        assert (values["ds_class"], values["ds_index"], values["sampling_rate"], values["drops"]) == (0, LO, 1, 0)
        assert (header["protocol"], header["frame_length"], header["stripped"]) == (1, 14 + 28 + 104 + 4, 4)
        assert len(header["header"]) == 128
        assert abs(one.elements[1].named()["nanoseconds"] / 1e9 - time.time()) < 60
    ends = {(one.named()["input_value"], one.named()["output_value"]) for one in mine}
    assert ends == {(INTERNAL, LO), (LO, INTERNAL)}
    pools = [one.named()["sample_pool"] for one in found]
    assert pools == sorted(pools)
    assert pools[-1] >= 100


def numbered(batch: Sampled) -> Sampled:
    return Sampled(
        {**batch.head, "sequence_number": np.arange(batch.header.rows)},
        *(batch.protocol, batch.length, batch.stripped, batch.header, batch.structures),
    )


@needs_raw
@pytest.mark.parametrize("count", [OSError("gone"), 5])
def test_a_device_that_does_not_count_has_carried_its_samples_at_least(count: int | Exception) -> None:
    with Taps(64, Counts(count)) as taps:
        taps.want({LO: Wanted("lo", 1)})
        send(2)
        found = sampled(taps.open[0], 4, lambda _: True)
    pools = np.concatenate([one.head["sample_pool"] for one in found])
    assert pools.tolist() == [*range(1, len(pools) + 1)]


@needs_raw
def test_devices_come_and_go_and_rates_change() -> None:
    with Taps(64, Counts(0)) as taps:
        taps.want({LO: Wanted("lo", 1)})
        (first,) = taps.open
        taps.want({LO: Wanted("lo", 1)})
        assert taps.open == [first]
        taps.want({LO: Wanted("lo", 7), 1 << 20: Wanted("no-such-dev", 1)})
        (second,) = taps.open
        assert second.wanted.one_in == 7
        assert len(taps.notes()) == 1
        assert "no-such-dev" in taps.notes()[0]
        taps.want({})
        assert (taps.open, taps.notes()) == ([], [])


@needs_raw
def test_nothing_came_is_no_batch() -> None:
    with Taps(64, Counts(0)) as taps:
        taps.want({LO: Wanted("lo", 1 << 31)})
        (tap,) = taps.open
        send(2)
        tap.wait(0.0)
        assert tap.batch(0.0) is None


def test_without_the_privilege_it_is_said() -> None:
    class Refused:
        def __init__(self, *_: object) -> None:
            pass

        def __enter__(self) -> None:
            raise NotSupported("packets", "needs CAP_NET_RAW", "run as root")

        def __exit__(self, *_: object) -> None:
            pass

    with pytest.raises(NotSupported), Taps(64, Counts(0), Refused) as taps:  # type: ignore[arg-type]
        taps.want({1: Wanted("lo", 1)})
