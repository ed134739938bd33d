# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures
from tests.programs.decoding.test_decoding import batch
from tests.protocols.netflow.capturing import AT_NS, datagrams, sent
from tests.protocols.netflow.making import PLAIN, RECORD, options_9, record_5, set_of, template, v5, v9
from tests.sources.test_exporters import HEADER, counter, flow, sflow

from fleutan.faces.cli.decoding import predicate_of
from fleutan.programs.decoding import Batch, Form
from fleutan.programs.decoding.captured import Samples, Wrapped
from fleutan.protocols.capture.datagrams import udp_datagrams
from fleutan.protocols.capture.frames import Frames
from fleutan.protocols.capture.reading import read
from fleutan.protocols.sflow.encoder import element, sample
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET, FLOW_FORMS
from fleutan.sources.exported import Exporters, decoded
from fleutan.sources.recorded import Recorded

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark (Debian: tshark)")

IPV4 = bytes.fromhex("4500001c00000000401100000a0000010a000002") + struct.pack("!HHHH", 53, 99, 8, 0)
_DISCARD = {"sequence_number": 1, "ds_class": 0, "ds_index": 3, "drops": 2, "input": 4, "output": 0, "reason": 258}


def frames(form: Form, *batches: Batch) -> Frames:
    octets = b"".join(piece for one in batches for piece in form.of(one)) + b"".join(form.end())
    found, rejects = read(octets)
    assert not rejects
    return found


def header(**more: object) -> dict[str, object]:
    return HEADER | more


def test_sampled_headers_become_frames_as_long_as_the_packets_were() -> None:
    one = sflow(flow(header=header(header=b"a" * 20, frame_length=1000)), counter(), flow())
    found = frames(Samples(), batch(one), batch(one))
    assert found.spans.strings() == [b"a" * 20, bytes(14)] * 2
    assert found.lengths.tolist() == [1000, 100] * 2
    assert found.at_ns.tolist() == [AT_NS] * 4
    assert set(found.link_types.tolist()) == {1}


def test_what_begins_with_ip_has_a_link_header_put_before_it_and_others_are_left_out() -> None:
    strings = [flow(header=header(protocol=kind, header=IPV4, frame_length=28)) for kind in (11, 12, 7)]
    found = frames(Samples(), batch(sflow(*strings)))
    assert found.spans.strings() == [bytes(12) + b"\x08\x00" + IPV4, bytes(12) + b"\x86\xdd" + IPV4]
    assert found.lengths.tolist() == [42, 42]


def test_discarded_packets_are_apart() -> None:
    discarded = sample(DISCARDED_PACKET, _DISCARD, [element(FLOW_FORMS[1][0], header(header=b"d" * 14))])
    both = sflow(discarded, flow())
    assert frames(Samples(discards=True), batch(both)).spans.strings() == [b"d" * 14]
    assert frames(Samples(), batch(both)).spans.strings() == [bytes(14)]


def test_the_filter_chooses_frames() -> None:
    strings = (sflow(flow(header=header(header=b"a" * 14), sampling_rate=1), flow(sampling_rate=2)),)
    assert frames(Samples(), batch(*strings, filter_="sampling_rate = 1")).spans.strings() == [b"a" * 14]


def test_nothing_is_a_file_without_frames() -> None:
    for form in (Samples(), Wrapped()):
        assert len(frames(form).at_ns) == 0
    for strings in ((), (v5(record_5()),), (sflow(counter()),)):
        assert len(frames(Samples(), batch(*strings)).at_ns) == 0


def test_datagrams_come_back_out_of_the_packets_that_they_were_put_in() -> None:
    four, six = (0, 0xFFFF_C000_0201), (0x2001_0DB8 << 32, 1)
    these = sent(
        [(four, 5000, AT_NS, v5(record_5())), (six, 5001, AT_NS + 1000, sflow(flow())), (four, 1, AT_NS, b"x")]
    )
    state = Exporters()
    found = udp_datagrams(frames(Wrapped(), Batch(decoded(these, state), state)))
    assert found.spans.strings() == these.spans.strings()
    assert np.array_equal(found.source, these.source)
    assert found.sport.tolist() == [5000, 5001, 1]
    assert found.at_ns.tolist() == these.at_ns.tolist()


def test_datagrams_of_which_the_filter_means_a_record() -> None:
    strings = (v5(record_5(packets=3)), v5(record_5(packets=3), record_5(packets=9)), b"nonsense")
    found = udp_datagrams(frames(Wrapped(), batch(*strings, filter_="packets = 9")))
    assert found.spans.strings() == [strings[1]]


def test_datagrams_that_tell_how_others_are_read_are_kept_whatever_the_filter_means() -> None:
    teaches, told = v9(set_of(0, template(256, *PLAIN))), v9(set_of(256, RECORD), sequence=2)
    rates = v9(set_of(1, options_9(257, ((1, 4),), (34, 4))), set_of(257, bytes(7) + b"\x0a"), sequence=3)
    strings = (v5(record_5()), teaches, told, rates, sflow(flow()), b"nonsense")
    found = udp_datagrams(frames(Wrapped(), batch(*strings, filter_="protocol = netflow-9 and packets = 3")))
    assert found.spans.strings() == [teaches, told, rates]
    found = udp_datagrams(frames(Wrapped(), batch(*strings, filter_="packets = 77")))
    assert found.spans.strings() == [teaches, rates]


def test_records_that_had_waited_have_no_datagram_any_more() -> None:
    state = Exporters()
    early, late = v9(set_of(256, RECORD)), v9(set_of(0, template(256, *PLAIN)), sequence=2)
    frames(Wrapped(), Batch(decoded(datagrams(early), state), state))
    one = Batch(decoded(datagrams(late), state), state, predicate_of("packets = 3"))
    assert one.records["packets"].tolist() == [3]
    assert udp_datagrams(frames(Wrapped(), one)).spans.strings() == [late]


# -- tshark


def dissected(path: Path, octets: bytes, *fields: str, decode_as: str = "") -> list[list[str]]:
    """What tshark finds in a file, a row a packet."""
    path.write_bytes(octets)
    chosen = [part for name in fields for part in ("-e", name)]
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=;", "-E", "occurrence=a", *chosen]
    told = subprocess.run([*command, *(["-d", decode_as] if decode_as else [])], capture_output=True, check=True)
    return [line.split(";") for line in told.stdout.decode().splitlines()]


def written(form: Form, *batches: Batch) -> bytes:
    return b"".join([*(piece for one in batches for piece in form.of(one)), *form.end()])


@needs_tshark
def test_tshark_reads_sampled_packets(tmp_path: Path) -> None:
    packet = bytes.fromhex("020000000001 020000000002 0800") + IPV4
    strings = [flow(header=header(header=packet, frame_length=1000)), flow(header=header(protocol=11, header=IPV4))]
    rows = dissected(
        *(tmp_path / "samples.pcap", written(Samples(), batch(sflow(*strings)))),
        *("frame.len", "frame.cap_len", "eth.src", "ip.src", "udp.srcport", "udp.dstport", "frame.time_epoch"),
    )
    at = f"{AT_NS // 10**9}.000000000"
    assert rows == [
        ["1000", str(len(packet)), "02:00:00:00:00:02", "10.0.0.1", "53", "99", at],
        ["114", str(14 + len(IPV4)), "00:00:00:00:00:00", "10.0.0.1", "53", "99", at],
    ]


@needs_tshark
def test_tshark_reads_the_datagrams_with_their_ends(tmp_path: Path) -> None:
    four, six = (0, 0xFFFF_C000_0201), (0x2001_0DB8 << 32, 1)
    long = sflow(*(flow(header=header(header=bytes(128))) for _ in range(200)))
    these = sent([(four, 5000, AT_NS, v5(record_5(packets=9))), (six, 5001, AT_NS, long)])
    state = Exporters()
    rows = dissected(
        *(tmp_path / "datagrams.pcap", written(Wrapped(), Batch(decoded(these, state), state))),
        *("ip.src", "ipv6.src", "udp.srcport", "udp.dstport", "udp.length", "udp.checksum.status", "cflow.packets"),
        decode_as="udp.port==5000,cflow",
    )
    assert rows[0] == ["192.0.2.1", "", "5000", "2055", str(8 + len(v5(record_5()))), "2", "9"]
    assert rows[1][:5] == ["", "2001:db8::1", "5001", "2055", str(8 + len(long))]


#: What tshark and sflowtool call the same.
SAME = {
    "frame.len": "sampledPacketSize",
    "frame.cap_len": "headerLen",
    "ip.src": "srcIP",
    "ip.dst": "dstIP",
    "ip.proto": "IPProtocol",
    "ip.ttl": "IPTTL",
    "tcp.srcport": "TCPSrcPort",
    "tcp.dstport": "TCPDstPort",
    "udp.dstport": "UDPDstPort",
}


@needs_tshark
@needs_captures
def test_tshark_finds_in_the_samples_what_sflowtool_finds_in_the_datagrams(tmp_path: Path) -> None:
    state = Exporters()
    with Recorded(str(CAPTURES / "sflow" / "host-sflow-live.pcap")) as source:
        octets = written(Samples(), *(Batch(decoded(one, state), state) for one in source))
    ours = dissected(tmp_path / "samples.pcap", octets, *SAME)
    assert len(ours) == 259
    said = [line.split() for line in (CAPTURES / "sflow" / "host-sflow-live.sflowtool-text").read_text().splitlines()]
    for place, name in enumerate(SAME.values()):
        theirs = [words[1] for words in said if words[0] == name]
        assert [row[place] for row in ours if row[place]] == theirs, name
