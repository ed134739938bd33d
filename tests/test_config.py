# SPDX-License-Identifier: Apache-2.0
"""Files are found and read; what is wrong with them is one line."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config import LARGEST, VARIABLE, Config, again, load, parse
from fleutan.errors import UsageError
from fleutan.lake.retention import DAY, DEFAULTS, Keep

PATH = Path("/etc/fleutan.toml")


def said(text: str) -> Config:
    return parse(text.encode(), PATH)


def wrong(text: str) -> str:
    with pytest.raises(UsageError) as raised:
        said(text)
    message = str(raised.value)
    assert "\n" not in message
    return message


# -- which file


def test_no_file_is_needed(tmp_path: Path) -> None:
    assert load(environ={}, system=tmp_path / "none") == Config()


def test_the_named_file_goes_before_the_variable_and_that_before_the_system(tmp_path: Path) -> None:
    named, variable, system = (tmp_path / name for name in ("named", "variable", "system"))
    for path, port in ((named, 1), (variable, 2), (system, 3)):
        path.write_text(f"[serve]\nport = {port}\n")
    environ = {VARIABLE: str(variable)}
    found = [load(named, environ, system), load(None, environ, system), load(None, {VARIABLE: ""}, system)]
    assert [(one.serve.port, one.file) for one in found] == [(1, named), (2, variable), (3, system)]


@pytest.mark.parametrize("environ", [{}, {VARIABLE: "/nowhere/at/all"}])
def test_a_file_that_was_named_must_be_there(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
        load(None if environ else tmp_path / "none", environ, tmp_path / "none")


# -- what it says


def test_what_is_not_said_stays_as_it_is() -> None:
    found = said("[record]\ninterval = 60\n[serve.limits]\nrows = 5\n")
    expected = Config()
    expected = dataclasses.replace(
        expected,
        record=dataclasses.replace(expected.record, interval=60.0),
        serve=dataclasses.replace(expected.serve, limits=dataclasses.replace(expected.serve.limits, rows=5)),
        file=PATH,
    )
    assert found == expected


def test_every_kind_of_value() -> None:
    found = said(
        """
        [lake]
        path = "lake"
        compaction = false
        waiting_bytes = "1.5 MiB"
        [collect]
        ports = [2055, 2055, 9995]
        addresses = ["::", "192.0.2.1"]
        queue_bytes = 1000
        [serve]
        tokens = "/run/tokens"
        certificate = "cert.pem"
        key = "key.pem"
        [jobs]
        source = "command"
        command = ["nodes", "-j", "-j", "{id}"]
        """
    )
    assert (found.lake.path, found.lake.compaction, found.lake.waiting_bytes) == (Path("/etc/lake"), False, 3 << 19)
    assert (found.collect.ports, found.collect.addresses) == ((2055, 9995), ("::", "192.0.2.1"))
    assert (found.collect.queue_bytes, found.serve.tokens) == (1000, Path("/run/tokens"))
    assert found.jobs.command == ("nodes", "-j", "-j", "{id}")


def test_retention_of_a_kind_goes_before_that_of_all_and_that_before_the_defaults() -> None:
    keep = said(
        '[lake.retention]\ndefault = { days = 7 }\nrecords = { bytes = "5 GB" }\nhours = { days = 0, bytes = 0 }'
    )
    assert keep.lake.retention["records"] == Keep(7 * DAY, 5 * 10**9)
    assert keep.lake.retention["minutes"] == Keep(7 * DAY, DEFAULTS["minutes"].octets)
    assert keep.lake.retention["hours"] == Keep(0, 0)
    assert keep.lake.retention.keys() == DEFAULTS.keys()
    assert Config().lake.retention == DEFAULTS


WRONG = {
    "[colect]": "there is no section 'colect'; did you mean collect?",
    "file = 'x'": "there is no section 'file'; there are lake, record, collect, serve, jobs",
    "lake = 3": "[lake] is a section, not 3",
    "[serve]\nlimits = 3": "[serve.limits] is a section, not 3",
    "[collect]\nprots = [1]": "[collect] has no key 'prots'; did you mean ports?",
    "[serve.limits]\nsecods = 1": "[serve.limits] has no key 'secods'; did you mean seconds?",
    "[lake.retention]\nrecord = {}": "[lake.retention] has no kind 'record'; did you mean records?",
    "[lake.retention]\nrecords = { day = 3 }": "[lake.retention] has no key of records 'day'; did you mean days?",
    "[lake.retention]\nrecords = { days = -3 }": "[lake] retention: records: -3 is not a number of days",
    "[lake.retention]\nrecords = 7": "[lake] retention: records: 7 is not a table",
    "[lake.retention]\ndefault = { bytes = 'much' }": "[lake] retention: default: 'much' is not a number of bytes",
    "[lake]\nretention = 7": "[lake] retention: 7 is not a table of kinds",
    "[lake]\nflush_seconds = inf": "[lake] flush_seconds: inf is not seconds from 0.1 to 60",
    "[lake]\nflush_seconds = true": "[lake] flush_seconds: True is not seconds",
    "[lake]\ncompaction = 1": "[lake] compaction: 1 is not true or false",
    "[lake]\npath = ''": "[lake] path: '' is not a path",
    "[lake]\nwaiting_bytes = 1.5": "[lake] waiting_bytes: 1.5 is not a number of bytes",
    "[lake]\nwaiting_bytes = '5 XB'": "[lake] waiting_bytes: '5 XB' is not a number of bytes",
    "[lake]\nwaiting_bytes = '99999999 TB'": "is not a number of bytes",
    "[collect]\nports = 2055": "[collect] ports: 2055 is not a list of UDP ports",
    "[collect]\nports = []": "[collect] ports: [] is not a list of UDP ports",
    "[collect]\nports = [2055, 'x']": "[collect] ports: 'x' is not a port from 1 to 65535",
    "[collect]\nsockets = 1.0": "[collect] sockets: 1.0 is not a number from 1 to 64",
    "[serve]\nhost = 'localhost'": "[serve] host: 'localhost' is not an IP address",
    "[serve]\nhost = 7": "[serve] host: 7 is not an IP address",
    "[serve]\nkey = 'x'": "[serve] certificate and key go together",
    "[record]\nsource = 'bgp'": "[record] source: 'bgp' is not one of auto, netlink, bpf",
    '[record]\nnetns = "a\\nb"': "[record] netns: 'a\\nb' is not text of one line",
    "[jobs]\ncommand = []": "[jobs] command: [] is not a list of words",
    "[jobs]\ncommand = 'x {id}'": "[jobs] command: 'x {id}' is not a list of words",
    "[jobs]\nsource = 'oar'": "[jobs] source = 'oar' needs url or grid_url",
    "[jobs]\nsource = 'file'": "[jobs] source = 'file' needs file",
    "a =": "/etc/fleutan.toml is not TOML: Invalid value",
    "a = " + 5000 * "9": "/etc/fleutan.toml is not TOML: Exceeds the limit",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_with_file_key_and_remedy(text: str) -> None:
    message = wrong(text)
    assert WRONG[text] in message
    assert str(PATH) in message


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (b"\xff", "is not UTF-8: byte 0"),
        (b"#" * (LARGEST + 1), "it has more than"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_toml_at_all_is_said(octets: bytes, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        parse(octets, PATH)


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(wrong(f"[record]\nsource = '{'x' * 1000}'")) < 200


LINES = st.lists(st.sampled_from(sorted(WRONG)) | st.text(max_size=10), max_size=4).map("\n".join)


@given(st.binary(max_size=100) | LINES.map(str.encode))
def test_any_octets_are_a_configuration_or_one_line_of_an_error(octets: bytes) -> None:
    message = ""
    try:
        parse(octets, PATH)
    except UsageError as error:
        message = str(error)
    assert "\n" not in message


def test_a_pipe_is_not_read_again(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, tmp_path / "none", Path(__file__)):
        again(path)
    with pytest.raises(UsageError, match="pipe is no regular file: it is read once only"):
        again(pipe)
