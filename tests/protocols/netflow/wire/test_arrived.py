# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.protocols.netflow.capturing import AT_NS, EXPORTER, sent
from tests.protocols.netflow.making import set_of, v9, v10

from fleutan.protocols.netflow.wire.arrived import arrived
from fleutan.protocols.netflow.wire.headers import read_headers
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.templates import Scope

OTHER = (0x2001_0DB8 << 32, 1)


def test_a_scope_is_of_an_exporter_and_its_domain_in_ipfix_of_a_session() -> None:
    one = set_of(256, b"abcd")
    these = sent(
        [
            (EXPORTER, 1000, AT_NS, v9(one, source=1)),
            (EXPORTER, 2000, AT_NS, v9(one, one, source=1)),
            (EXPORTER, 1000, AT_NS, v9(one, source=2)),
            (OTHER, 1000, AT_NS, v9(one, source=1)),
            (EXPORTER, 1000, AT_NS, v10(one, domain=1)),
            (EXPORTER, 2000, AT_NS, v10(one, domain=1)),
            (EXPORTER, 1000, AT_NS, v10(one, domain=1)),
        ]
    )
    noted = Rejects()
    since = arrived(these.spans.octets, *read_headers(these, noted), noted)
    nine, ten = Scope(9, *EXPORTER, 0, 1), Scope(10, *EXPORTER, 1000, 1)
    assert [since.scopes[row] for row in since.scope.tolist()] == [
        *(nine, nine, nine),
        *(nine._replace(domain=2), Scope(9, *OTHER, 0, 1)),
        *(ten, ten._replace(port=2000), ten),
    ]
    assert since.datagram.tolist() == [0, 1, 1, 2, 3, 4, 5, 6]
    assert len(set(since.scopes)) == len(since.scopes) == 5
