# SPDX-License-Identifier: Apache-2.0
"""NetFlow and IPFIX datagrams as text, lines for grep and JSON, every field by its element's name.

The layout is that of ``sflowtool``'s text, so that one script reads both.  Pure: datagrams come in,
bytes go out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

#: Versions that say less in their header than the others.
_IPFIX = 10
_START, _END = "startDatagram =================================", "endDatagram   ================================="
_START_RECORD, _END_RECORD = "startRecord ----------------------", "endRecord   ----------------------"


class Record(NamedTuple):
    """A record: ``template`` is 0 where the version has none; ``fields`` by their element's name."""

    options: bool
    template: int
    fields: Mapping[str, Any]


class Export(NamedTuple):
    """A datagram: who sent it when, what its header says, its records and what was rejected of it.

    ``at_ns`` and ``exported_ns`` are UTC; ``domain`` and ``sequence`` are None where the version has
    none or the header was not read.
    """

    source: str
    size: int
    at_ns: int
    version: int
    domain: int | None
    sequence: int | None
    exported_ns: int | None
    records: Sequence[Record]
    rejected: str | None = None


class Writer(NamedTuple):
    """Writes datagrams in the local time of ``zone`` (None: of this host)."""

    zone: tzinfo | None = None

    def text(self, export: Export) -> bytes:
        """A line for each field."""
        return "".join(f"{line}\n" for _, line in self._lines(export)).encode("utf-8", "replace")

    def grep(self, export: Export) -> bytes:
        """The same, each line behind time, exporter, domain, sequence number and template."""
        before = f"{self._time(export.at_ns)} {export.source} {export.domain or 0} {export.sequence or 0}"
        return "".join(f"{before} {tag} {line}\n" for tag, line in self._lines(export)).encode("utf-8", "replace")

    def json(self, export: Export) -> bytes:
        """One object on a line."""
        return (json.dumps(self._object(export), ensure_ascii=False, separators=(",", ":")) + "\n").encode(
            "utf-8", "replace"
        )

    def indented_json(self, export: Export) -> bytes:
        """One object, a member a line, and an empty line."""
        return (json.dumps(self._object(export), ensure_ascii=False, indent=1) + "\n\n").encode("utf-8", "replace")

    def chosen(self, export: Export, names: Sequence[str]) -> bytes:
        """A line of these fields for each record that has one of them, comma-separated (RFC 4180)."""
        head = {name: str(value) for name, value in self._head(export).items()}
        lines = []
        for record in export.records:
            values = {name: _shown(value) for name, value in _said(record).items() if name in names}
            if values:
                lines.append(",".join(_cell(values.get(name, head.get(name, ""))) for name in names) + "\n")
        return "".join(lines).encode("utf-8", "replace")

    def _lines(self, export: Export) -> Iterator[tuple[str, str]]:
        yield "0:0", _START
        for name, value in self._head(export).items():
            yield "0:0", f"{name} {value}"
        for record in export.records:
            tag = f"{export.version}:{record.template}"
            yield tag, _START_RECORD
            for name, value in _said(record).items():
                yield tag, f"{name} {_shown(value)}"
            yield tag, _END_RECORD
        if export.rejected:
            yield "0:0", f"decodeProblem {export.rejected}"
        yield "0:0", _END

    def _head(self, export: Export) -> dict[str, Any]:
        seconds, nanoseconds = divmod(export.at_ns, 10**9)
        found: dict[str, Any] = {
            "datagramSourceIP": export.source,
            "datagramSize": export.size,
            "unixSecondsUTC": seconds,
            "unixSecondsUTC_uS": nanoseconds // 1000,
            "localtime": self._time(export.at_ns),
            "datagramVersion": export.version,
            "sourceId" if export.version != _IPFIX else "observationDomainId": export.domain,
            "packetSequenceNo": export.sequence,
            "exportTime": self._time(export.exported_ns) if export.exported_ns is not None else None,
            "recordsInPacket": len(export.records),
        }
        return {name: value for name, value in found.items() if value is not None}

    def _object(self, export: Export) -> dict[str, Any]:
        records = [{name: _plain(value) for name, value in _said(record).items()} for record in export.records]
        problem = {"decodeProblem": export.rejected} if export.rejected else {}
        return {**self._head(export), "records": records, **problem}

    def _time(self, at_ns: int) -> str:
        return datetime.fromtimestamp(at_ns // 10**9, UTC).astimezone(self.zone).strftime("%Y-%m-%dT%H:%M:%S%z")


def _cell(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(sign in value for sign in ',"') else value


def _said(record: Record) -> dict[str, Any]:
    """What is written of a record, in order."""
    template = {"template": record.template} if record.template else {}
    return {"recordType": "OPTIONS" if record.options else "FLOW", **template, **record.fields}


def _plain(value: Any) -> Any:
    """A value as JSON has it: octets as hexadecimal digits."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    if isinstance(value, float) and value - value != 0:  # JSON has no number for it
        return None
    return value


def _shown(value: Any) -> str:
    """A value on a line of text: control characters as ``\\x0a``, as those of sFlow's strings."""
    plain = _plain(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
