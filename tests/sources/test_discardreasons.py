# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.linux.reasons import DROPS, drop_reasons
from fleutan.protocols.sflow.reasons import REASONS
from fleutan.sources import discardreasons
from fleutan.sources.discardreasons import CODES, ENTERING, LEAVING, NOT_LOST, PERHAPS_TTL, TTL_EXCEEDED, UNKNOWN


def test_every_reason_is_one_of_the_kernels() -> None:
    known = set(DROPS) | set(drop_reasons().values())
    assert not {*CODES, *NOT_LOST, *LEAVING, *ENTERING, PERHAPS_TTL} - known


def test_a_reason_stands_in_one_line() -> None:
    named = [reason for _, reasons in discardreasons._MEANT for reason in reasons.split()]
    assert len(named) == len(CODES)
    assert not LEAVING & ENTERING


def test_codes_are_those_of_the_list() -> None:
    assert (REASONS[UNKNOWN], REASONS[TTL_EXCEEDED]) == ("unknown", "ttl_exceeded")
    assert {reason: CODES[reason] for reason in ("NO_SOCKET", "NETFILTER_DROP", "TC_EGRESS", "SOCKET_FILTER")} == {
        "NO_SOCKET": 3,
        "NETFILTER_DROP": 258,
        "TC_EGRESS": 366,
        "SOCKET_FILTER": 371,
    }


def test_every_code_that_is_called_as_the_kernel_calls_its_reason_is_that_reasons() -> None:
    numbers = {name: number for number, name in REASONS.items()}
    alike = {reason: numbers[reason.lower()] for reason in DROPS if reason.lower() in numbers}
    assert len(alike) > 30
    assert {reason: CODES[reason] for reason in alike} == alike
