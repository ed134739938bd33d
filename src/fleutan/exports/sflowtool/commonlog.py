# SPDX-License-Identifier: Apache-2.0
"""HTTP samples of servers as lines of the combined log format, as web servers write them and ``sflowtool -H`` does.

``client - user [time] "METHOD uri HTTP/1.1" status octets "referer" "agent"``: the layout is that
of Apache's ``combined``, and so are its escapes.  sFlow HTTP Structures, http_request (2201 and
2206) and extended_socket_ipv4 and _ipv6 (2100, 2101), whose remote end is the client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from ipaddress import ip_address

from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.exports.sflowtool.shapes import address, as_sent
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.layouts import FLOW_FORMS
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.samples import Sample

#: Counters have structures of the same numbers.
_REQUESTS = (FLOW_FORMS[2201][0], FLOW_FORMS[2206][0])
_SOCKETS = (FLOW_FORMS[2100][0], FLOW_FORMS[2101][0])
#: By number; what has none is "-".
_METHODS = ("-", "OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT")
#: strftime's depend on the locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 13: "\\r"}
_ESCAPES |= {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 256)) if code not in _ESCAPES}
#: Outside quotes a space would begin the next field.
_UNQUOTED = _ESCAPES | {32: "\\x20"}
_UNKNOWN_64 = 0xFFFF_FFFF_FFFF_FFFF


def write_common_log(messages: Iterable[Received], dialect: Dialect) -> Iterator[bytes]:
    """A line for each HTTP request that is whole; nothing of other samples.

    A faithful dialect escapes nothing, has no client where none is known, and of several requests
    of a sample the last one.
    """
    for received in messages:
        time = _time(received.at_ns // 10**9, dialect.zone)
        for sample in received.message.samples:
            for line in _lines(sample, time, dialect.faithful):
                yield line.encode("latin-1")


@lru_cache(64)
def _time(seconds: int, zone: tzinfo | None) -> str:
    at = datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    return f"{at:%d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S %z}"


def _lines(sample: Sample, time: str, faithful: bool) -> Iterator[str]:
    requests, sockets = _of(sample, _REQUESTS), _of(sample, _SOCKETS)
    client = "" if faithful else "-"
    if sockets:
        remote = sockets[-1].named()["remote_ip"]
        client = address(remote) if faithful else str(ip_address(remote))
    for request in requests[-1:] if faithful else requests:
        yield f"{client} {_line(request, time, faithful)}\n"


def _of(sample: Sample, layouts: Sequence[Layout]) -> list[Element]:
    """The elements of these forms that are whole."""
    found = [one for one in sample.elements if one.layout in layouts]
    return [one for one in found if one.layout and len(one.values) == len(one.layout.fields)]


def _line(request: Element, time: str, faithful: bool) -> str:
    said = request.named()
    string = as_sent if faithful else _escaped
    uri, referer, agent = (string(said[name]) or "-" for name in ("uri", "referer", "useragent"))
    user = as_sent(said["authuser"]) if faithful else said["authuser"].decode("latin-1").translate(_UNQUOTED)
    method = _METHODS[said["method"]] if said["method"] < len(_METHODS) else "-"
    major, minor = divmod(said["protocol"], 1000)
    octets = said.get("resp_bytes", said.get("bytes"))
    told = "-" if octets == _UNKNOWN_64 and not faithful else octets
    return (
        f'- {user or "-"} [{time}] "{method} {uri} HTTP/{major}.{minor}" {said["status"]} {told} "{referer}" "{agent}"'
    )


def _escaped(octets: bytes) -> str:
    """As it stands between quotes: what is no printable ASCII as ``\\xhh``."""
    return octets.decode("latin-1").translate(_ESCAPES)
