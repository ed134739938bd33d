# SPDX-License-Identifier: Apache-2.0
"""What is written of an anonymised source, in every form: no address that the same form wrote of the source itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from tests.captures import CAPTURES, needs_captures
from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import set_of, template, v9

from fleutan.errors import UsageError
from fleutan.exports.sflowtool.heads import Dialect
from fleutan.programs.decoding import Form, run
from fleutan.programs.decoding.anonymous import Anonymous, key_of
from fleutan.programs.decoding.captured import Samples, Wrapped
from fleutan.programs.decoding.lines import Columns
from fleutan.programs.decoding.messages import COMMON_LOG, GREP, INDENTED, JSON, TEXT, Messages
from fleutan.programs.decoding.tables import Csv, Lines
from fleutan.protocols.datagrams import Datagrams
from fleutan.sources.datagrams import Account, Source
from fleutan.sources.exported import FIELDS
from fleutan.sources.recorded import Recorded

KEY = bytes(range(32))
DIALECT = Dialect(False, UTC)
FORMS: dict[str, Callable[[], Form]] = {
    "text": lambda: Messages(TEXT, DIALECT, True),
    "grep": lambda: Messages(GREP, DIALECT, True),
    "jsonl": lambda: Messages(JSON, DIALECT, True),
    "json": lambda: Messages(INDENTED, DIALECT, True),
    "http": lambda: Messages(COMMON_LOG, DIALECT, True),
    "lines": lambda: Columns(DIALECT, True),
    "flows": Lines,
    "csv": lambda: Csv(FIELDS),
    "samples": Samples,
    "discards": lambda: Samples(discards=True),
    "datagrams": Wrapped,
}
BINARY = ("samples", "discards", "datagrams")
#: Not parts of longer numbers, of labels or of times.
_FOUR = re.compile(rb"(?<![0-9.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.-])")
_SIX = re.compile(rb"(?<![0-9a-fA-F:.-])[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*(?![0-9a-fA-F:-])")
Addresses = set[IPv4Address | IPv6Address]


class Given:
    """A source of these batches."""

    def __init__(self, *batches: Datagrams) -> None:
        self._batches = batches
        self.stopped = False

    def batches(self, seconds: float | None = None) -> Iterator[Datagrams]:
        assert seconds is None or seconds > 0
        yield from self._batches

    def stop(self) -> None:
        self.stopped = True

    def accounts(self) -> list[Account]:
        return [Account("given", 1, 2, 3, None, {})]


def written(path: Path, name: str, around: Callable[[Source], Source] = lambda source: source) -> bytes:
    pieces: list[bytes] = []
    with Recorded(str(path)) as source:
        run(around(source), FORMS[name](), None, pieces.append)
    return b"".join(pieces)


def addresses(text: bytes) -> Addresses:
    found: Addresses = set()
    for token in (*_FOUR.findall(text), *_SIX.findall(text)):
        try:
            found.add(ip_address(token.decode()))
        except ValueError:
            continue
    return found


def telling(address: IPv4Address | IPv6Address) -> bool:
    """Of few different octets others may be made by chance."""
    return len(set(address.packed) - {0, 255}) > 2


@needs_captures
@pytest.mark.parametrize("path", sorted(CAPTURES.glob("[ins]*/*.pcap")), ids=lambda path: path.stem)
def test_no_address_of_a_capture_is_in_any_output(path: Path) -> None:
    before: Addresses = set()
    for name in FORMS:
        if name not in BINARY:
            before |= addresses(written(path, name))
    secret = {address for address in before if telling(address)}
    if path.stem not in ("tcpdump_sflow_print-segv", "logstash_Netflow_5_invalid_01"):
        assert before
    for name in FORMS:
        after = written(path, name, lambda source: Anonymous(source, KEY))
        assert not addresses(after) & secret if name not in BINARY else True
        assert [address for address in secret if address.packed in after or str(address).encode() in after] == []


@needs_captures
def test_equal_addresses_stay_equal_from_form_to_form_and_prefixes_common() -> None:
    path = CAPTURES / "netflow/logstash_Netflow_9_H3C.pcap"
    hidden = {name: written(path, name, lambda source: Anonymous(source, KEY)) for name in ("text", "flows", "csv")}
    found = {name: addresses(text) for name, text in hidden.items()}
    plain = addresses(written(path, "flows"))
    assert len(found["flows"]) == len(plain)
    assert found["flows"] <= found["text"]
    prefixes = {int(address) >> 16 for address in plain}, {int(address) >> 16 for address in found["flows"]}
    assert len(prefixes[0]) == len(prefixes[1]) < len(plain)


def test_a_source_is_anonymised_to_its_end() -> None:
    data = v9(set_of(260, bytes(8)))
    source = Given(datagrams(data), datagrams(v9(set_of(0, template(261, (8, 4))))))
    hidden = Anonymous(source, KEY)
    assert [len(batch.at_ns) for batch in hidden.batches(1.5)] == [0, 1, 1]
    assert list(hidden.notes()) == ["anonymised: left out 1 x datagram whose template did not come"]
    hidden.stop()
    assert source.stopped
    assert hidden.accounts() == source.accounts()


def test_without_a_key_every_run_has_its_own() -> None:
    batch = datagrams(b"?")
    one, other = (Anonymous(Given(batch)) for _ in range(2))
    ends = [next(iter(each.batches())).source.tolist() for each in (one, other)]
    assert ends[0] != ends[1]
    notes = list(one.notes())
    assert notes == [
        "anonymised under a random key that is gone now; --key FILE gives the same addresses again",
        "anonymised: left out 1 x datagram of an unknown protocol",
    ]


def test_with_a_key_every_run_gives_the_same() -> None:
    ends = [next(iter(Anonymous(Given(datagrams(b"?")), KEY).batches())).source.tolist() for _ in range(2)]
    assert ends[0] == ends[1]


def test_a_key_is_a_file_of_any_content(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "same", "other")]
    for path, content in zip(paths, (b"secret", b"secret", b"secret\n"), strict=True):
        path.write_bytes(content)
    one, same, other = (key_of(str(path)) for path in paths)
    assert one == same != other
    assert len(one) == 32


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "the file is empty"), (bytes((1 << 20) + 1), "more than 1048576 octets")]
)
def test_what_is_no_key(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        key_of(str(path))


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or directory"):
        key_of(str(tmp_path / "none"))
