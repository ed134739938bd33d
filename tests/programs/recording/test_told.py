# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from pathlib import Path

from tests import lakes

from fleutan.lake.writer import Writer
from fleutan.programs.recording.told import Told
from fleutan.sources.service import Service


def test_the_manager_hears_of_it_and_the_rows_are_kept(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(5)
        service = Service({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"})
        writer = Writer(tmp_path / "lake", "record")
        with Told(writer, service) as sink:
            assert b"READY=1" in heard.recv(1000)
            sink.add(lakes.table("records", lakes.records(10)))
            sink.tick(lakes.AT)
            assert heard.recv(1000) == b"WATCHDOG=1"
        assert b"STOPPING=1" in heard.recv(1000)
    assert writer.account().sealed == 10
