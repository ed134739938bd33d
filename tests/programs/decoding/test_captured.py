# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
from tests.programs.decoding.test_decoding import batch
from tests.protocols.netflow.capturing import AT_NS, sent
from tests.protocols.netflow.making import record_5, v5
from tests.sources.test_exporters import HEADER, counter, flow, sflow

from fleutan.programs.decoding import Batch, Form
from fleutan.programs.decoding.captured import Samples, Wrapped
from fleutan.protocols.capture.datagrams import udp_datagrams
from fleutan.protocols.capture.frames import Frames
from fleutan.protocols.capture.reading import read
from fleutan.protocols.sflow.encoder import element, sample
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET, FLOW_FORMS
from fleutan.sources.exported import Exporters, decoded

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
