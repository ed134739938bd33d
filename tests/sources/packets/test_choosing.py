# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.linux.packets.conftest import Inside, inside

from fleutan.errors import NotSupported
from fleutan.sources.packets.choosing import Way, choose
from fleutan.sources.packets.sampler import BpfSampler
from fleutan.sources.packets.tapping import SocketSampler

__all__ = ["inside"]  # the fixture


def way(answer: Any) -> Way:
    @contextmanager
    def opened(namespace: object, header: int) -> Iterator[Any]:
        if isinstance(answer, Exception):
            raise answer
        yield answer, namespace, header

    return opened


def test_the_first_way_that_there_is_is_taken_and_why_not_one_before() -> None:
    with choose(None, 64, (way(1), way(2))) as chosen:
        assert tuple(chosen) == ((1, None, 64), "")
    with choose(ways=(way(NotSupported("BPF", "it takes root", "run it as root")), way(2))) as chosen:
        assert tuple(chosen) == ((2, None, 128), "BPF: it takes root; run it as root")


def test_where_there_is_no_way_all_reasons_are_said() -> None:
    ways = (way(NotSupported("BPF", "no BTF")), way(NotSupported("packets", "needs CAP_NET_RAW")))
    with (
        pytest.raises(NotSupported, match="sampling packets: BPF: no BTF; packets: needs CAP_NET_RAW"),
        choose(ways=ways),
    ):
        pass


def test_what_goes_wrong_later_is_not_taken_for_a_way_that_is_missing() -> None:
    with pytest.raises(NotSupported, match="later"), choose(ways=(way(1), way(2))):
        raise NotSupported("later", "on")


def test_here_it_is_by_bpf(inside: Inside) -> None:
    with choose() as chosen:
        assert isinstance(chosen.sampler, BpfSampler)
    with choose(ways=(SocketSampler,)) as chosen:
        assert chosen.sampler.totals() == {}
