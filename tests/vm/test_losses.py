# SPDX-License-Identifier: Apache-2.0
"""What netem loses, on purpose or for want of room, is counted with a reason, as often as tc says."""

from __future__ import annotations

import json

import pytest
from tests.bpf import agrees, needs_bpf
from tests.vm.conftest import NOWHERE, Sender

from fleutan.linux.drops import Counting
from fleutan.sources import drops

SENT = 20


@needs_bpf
@pytest.mark.parametrize(("options", "lost"), [("loss 100%", SENT), ("limit 4 delay 60s", SENT - 4)])
def test_what_netem_drops_has_a_reason(host: Sender, options: str, lost: int) -> None:
    def look() -> None:
        with Counting() as counting:
            host.discipline("root handle 1:", "netem", options)
            host.send(SENT)
            rows = drops.table(counting.read()).rows()
        (said,) = json.loads(host.run("tc", "-s", "-j", "qdisc", "show", "dev", "veth0"))
        host.run("tc", "qdisc", "delete", "dev", "veth0", "root")
        own = [row for row in rows if (row["netns"], row["dst"]) == (host.name, NOWHERE)]
        assert sum(row["packets"] for row in own) == said["drops"] == lost
        assert {row["reason"] for row in own} <= {"QDISC_DROP", "QDISC_OVERLIMIT"}
        assert {(row["event"], row["direction"], row["dev"], row["proto"]) for row in own} == {
            ("drop", "tx", "veth0", "udp")
        }

    agrees(look)
