# SPDX-License-Identifier: Apache-2.0
"""Records of every flow protocol as datagrams of NetFlow 5, 9 or IPFIX.

What lives here decides what of a record the other protocol says; how it is written stands in
``protocols.netflow``.  Sampled packets become flows of one packet, whose octets are counted from the
IP header on, as NetFlow counts (RFC 3954 8, 1 IN_BYTES; RFC 7012, octetDeltaCount).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from fleutan.analysis.scaling import COUNTS, product
from fleutan.protocols.netflow.encoding import MTU, Encoded, Sender, encode
from fleutan.protocols.netflow.encoding_5 import encode_5
from fleutan.protocols.netflow.shapes import Moment
from fleutan.records import Known, Records, Values, fill, take

#: The versions that are written, and the ports at which collectors await them (4739: IANA).
PORTS = {5: 2055, 9: 2055, 10: 4739}
#: Templates are repeated when so long has passed (RFC 7011, 8.4), or so many datagrams were sent.
REFRESH_NS, REFRESH_DATAGRAMS = 30 * 10**9, 256
#: Times are told since the exporter started: as if that had been so long ago, so that it is before any flow began,
#: and in half of what its count of 32 bits holds.
STARTED_NS = 20 * 86_400 * 10**9
#: Why records are left out.
NO_ADDRESSES = "they have no IP addresses"
NOT_IPV4 = "NetFlow 5 has no IPv6"
NO_TEMPLATE = "there are more kinds of them than templates"
#: The largest sampling interval that version 5 can tell.
_INTERVAL = 0x3FFF

#: Columns of flows, and the catalogue's names where they differ.
_NAMES = {
    **dict.fromkeys(
        (
            *("src", "dst", "sport", "dport", "proto", "packets", "tcp_flags", "tos", "in_if", "out_if", "src_as"),
            *("dst_as", "vlan", "src_mac", "dst_mac", "direction", "next_hop", "src_mask", "dst_mask", "start", "end"),
            *("agent", "post_src", "post_dst", "post_sport", "post_dport", "reverse_packets", "reverse_bytes"),
            *("sampling_rate", "pid", "uid", "cookie", "cgroup_id", "comm", "unit", "container", "rtt", "rtt_var"),
            *("min_rtt", "retrans"),
        ),
        "",
    ),
    "out_vlan": "post_vlan",
}
#: What is taken where a column is not known: of frames without an IP length theirs, times of what has none
#: when it came, and of what did not tell its agent who sent it.
_INSTEAD = (("ip_bytes", "bytes"), ("bytes", "bytes"), ("received", "end"), ("end", "start"), ("exporter", "agent"))


class Conversion:
    """Makes datagrams of batches of records; remembers sequence numbers and templates.

    ``version`` is 5, 9 or 10.  With ``scale`` counts are multiplied by the sampling rate; without,
    the rate is told: in the header of version 5, in each record of the others (element 34,
    samplingInterval).  ``left_out`` counts records by why they are not there, ``saturated`` by
    column the values that their field could not hold.
    """

    def __init__(self, version: int, *, scale: bool = True, mtu: int = MTU) -> None:
        self.left_out: Counter[str] = Counter()
        self.saturated: Counter[str] = Counter()
        self._version, self._scale, self._mtu = version, scale, mtu
        self._sender = Sender(version, 0)
        self._began = self._refreshed = 0
        self._since = 0

    def datagrams(self, numbers: Records, now_ns: int) -> list[bytes]:
        """These records (columns under the catalogue's names, as numbers) as they are sent at ``now_ns`` (UTC).

        None is longer than ``mtu``, or in version 5 than Ethernet carries.
        """
        of_ip = _known(numbers, "src") & _known(numbers, "dst")
        self._leave(NO_ADDRESSES, numbers.rows - int(np.count_nonzero(of_ip)))
        flows = for_netflow(take(numbers, of_ip), self._version, scale=self._scale)
        self._began = self._began or now_ns - STARTED_NS
        moment = Moment(now_ns, (now_ns - self._began) // 10**6)
        if not flows.rows:
            return []
        found = list(self._encoded_5(flows, moment)) if self._version == 5 else [self._encoded(flows, moment)]
        for one in found:
            self.saturated.update(one.saturated)
            self._leave(NOT_IPV4 if self._version == 5 else NO_TEMPLATE, one.unsent)
        return [datagram for one in found for datagram in one.datagrams]

    def _leave(self, reason: str, many: int) -> None:
        if many:
            self.left_out[reason] += many

    def _encoded(self, flows: Records, moment: Moment) -> Encoded:
        due = self._since >= REFRESH_DATAGRAMS or abs(moment.now_ns - self._refreshed) >= REFRESH_NS
        if due:
            self._since, self._refreshed = 0, moment.now_ns
        found = encode(self._sender, flows, moment, self._mtu, due)
        self._since += len(found.datagrams)
        return found

    def _encoded_5(self, flows: Records, moment: Moment) -> Iterator[Encoded]:
        """Records of one sampling rate share a header, which has the only place for it."""
        rate = flows.values.get("sampling_rate", np.zeros(flows.rows, np.int64)) * _known(flows, "sampling_rate")
        for interval in np.unique(rate).tolist():
            some = flows if (rate == interval).all() else take(flows, rate == interval)
            found, self._sender.sequence = encode_5(some, moment, self._sender.sequence, 0, interval)
            yield found
            if interval > _INTERVAL:
                self.saturated["sampling_rate"] += some.rows - found.unsent


def for_netflow(numbers: Records, version: int, *, scale: bool) -> Records:
    """Records under the catalogue's names as columns of flows (``protocols.netflow.flows``).

    With ``scale`` their counts are multiplied by the sampling rate, which then is not there any more.
    """
    flows = Records(numbers.rows, {}, {})
    for name, other in _NAMES.items():
        _copy(numbers, name, flows, other or name)
    for name, other in _INSTEAD:
        _copy(flows if name == "end" else numbers, name, flows, other)
    _icmp(numbers, flows, "dport" if version == 5 else "icmp")
    return _scaled(flows) if scale else flows


def _copy(given: Records, name: str, flows: Records, other: str) -> None:
    if name in given.values:
        fill(flows, other, given.values[name], given.known.get(name))


def _icmp(numbers: Records, flows: Records, name: str) -> None:
    """Type and code in one number; version 5 has it where the destination port stands."""
    if "icmp_type" in numbers.values and "icmp_code" in numbers.values:
        known = _known(numbers, "icmp_type") & _known(numbers, "icmp_code")
        fill(flows, name, numbers.values["icmp_type"] << 8 | numbers.values["icmp_code"], known)


def _scaled(flows: Records) -> Records:
    values, known = dict(flows.values), dict(flows.known)
    rate = values.pop("sampling_rate", np.ones(flows.rows, np.int64))
    factor: Values = np.where(_known(flows, "sampling_rate") & (rate > 0), rate, 1)
    known.pop("sampling_rate", None)
    for name in COUNTS:
        if name in values:
            values[name] = product(values[name], factor)
    return Records(flows.rows, values, known)


def _known(records: Records, name: str) -> Known:
    return records.known.get(name, np.full(records.rows, name in records.values))
