# SPDX-License-Identifier: Apache-2.0
"""sflowtool's text: a line for each field, and the same with the context on every line, for grep (``-g``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleutan.exports.sflowtool.heads import Dialect, Received, datagram_pieces, local_time
from fleutan.exports.sflowtool.samples import SampleParts, data_source, message_parts
from fleutan.exports.sflowtool.shapes import Convert, Kind, Style, address, as_sent, readable

_START, _END = "startDatagram =================================\n", "endDatagram   =================================\n"
_START_SAMPLE, _END_SAMPLE = "startSample ----------------------\n", "endSample   ----------------------\n"


def text_specs(string: Convert, kind: Kind) -> tuple[str, Convert | None]:
    """How a kind of value stands in text."""
    return ("%s", string) if kind.wire else (kind.spec, kind.convert)


def _entry(name: str, value: str) -> str:
    return f"{name} {value}\n" if name else f"{value}\n"


_STYLES = {
    True: Style(_entry, lambda kind: text_specs(as_sent, kind)),
    False: Style(_entry, lambda kind: text_specs(readable, kind)),
}


def style_of(faithful: bool) -> Style:
    """The style of text."""
    return _STYLES[faithful]


def write_text(messages: Iterable[Received], dialect: Dialect) -> Iterator[bytes]:
    """The text of each datagram."""
    style = _STYLES[dialect.faithful]
    write = style.write
    for received in messages:
        lines = [_START, write(datagram_pieces(received, dialect))]
        for laid in received.laid or ():
            lines += (_START_SAMPLE, style.write_laid(laid), _END_SAMPLE)
        for parts in message_parts(received.message, dialect.faithful):
            lines += (_START_SAMPLE, write(parts.pieces))
            if parts.sample.whole or not dialect.faithful:
                lines.append(_END_SAMPLE)
        lines.append(_problems(received, dialect))
        lines.append(_END)
        yield encoded("".join(lines), dialect)


def _problems(received: Received, dialect: Dialect) -> str:
    if dialect.faithful:
        return ""
    return "".join(
        f"decodeProblem {problem.reason} in {problem.structure} at octet {problem.at}\n"
        for problem in received.message.problems
    )


def encoded(text: str, dialect: Dialect) -> bytes:
    """Text as octets: UTF-8, or each character the octet that was sent."""
    return text.encode("latin-1" if dialect.faithful else "utf-8", "replace")


def write_grep(messages: Iterable[Received], dialect: Dialect) -> Iterator[bytes]:
    """The text of each datagram; each line begins with time, agent, sub-agent, sequence, source and numbers."""
    for received in messages:
        yield encoded("".join(_lines(received, dialect)), dialect)


def _lines(received: Received, dialect: Dialect) -> Iterator[str]:
    message = received.message
    write = _STYLES[dialect.faithful].write
    time = local_time(received.at_ns // 10**9, dialect.zone)
    contexts = _head_contexts(received, time)
    before = contexts[0] + " 0:0 0:0 0:0 "
    yield before + _START
    pieces = datagram_pieces(received, dialect)
    # The context grows with what was read: the agent with the version, the sequence number after the sub-agent.
    places = {True: contexts[1], False: contexts[0]}
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1 and message.sample_count is not None
        context = contexts[2] if last else places[piece[0].names[0][0] == "agentSubId"]
        yield _indented(write([piece]), context + " 0:0 0:0 0:0 ")
    context = " 0:0 0:0 0:0 "
    for parts in message_parts(message, dialect.faithful):
        for text, around in _sample_texts(parts, dialect, message.version or 5):
            context = around
            yield _indented(text, contexts[2] + around)
    yield _indented(_problems(received, dialect), contexts[2] + context)
    yield contexts[2] + context + _END


def _head_contexts(received: Received, time: str) -> tuple[str, str, str]:
    """Time, agent, sub-agent and sequence number: of none, of the agent, and of the datagram."""
    message = received.message
    agent = address(message.agent) if message.agent is not None else "-"
    sub_agent = message.sub_agent_id or 0
    sequence = message.sequence_number or 0
    return f"{time} - 0 0", f"{time} {agent} {sub_agent} 0", f"{time} {agent} {sub_agent} {sequence}"


def _sample_texts(parts: SampleParts, dialect: Dialect, version: int) -> Iterator[tuple[str, str]]:
    """Lines of a sample, with the source and the numbers that stand before them."""
    write = _STYLES[dialect.faithful].write
    sample = parts.sample
    tag = f"{sample.tag >> 12}:{sample.tag & 0xFFF}"
    source = data_source(sample)
    yield _START_SAMPLE, f" 0:0 {tag} 0:0 "
    lines = write(parts.head).splitlines(keepends=True)
    # Counters, and flows of the earlier versions, say their sequence number before their source is read.
    known = 3 if version < 5 or sample.tag in (2, 4) else 2
    yield "".join(lines[:known]), f" 0:0 {tag} 0:0 "
    around = f" {source} {tag} 0:0 "
    yield "".join(lines[known:]), around
    for element in parts.elements:
        around = f" {source} {tag} {element.tag >> 12}:{element.tag & 0xFFF} " if version >= 5 else around
        yield write(element.pieces), around
    if parts.sample.whole or not dialect.faithful:
        yield _END_SAMPLE, around


def _indented(lines: str, context: str) -> str:
    return "".join(context + line for line in lines.splitlines(keepends=True))
