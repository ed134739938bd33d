# SPDX-License-Identifier: Apache-2.0
"""What the long-running programs are told by a file: TOML, found and read into frozen dataclasses.

No file is needed: everything has a default.  What keys there are stands in ``sections``, what
their values may be in ``values``; what becomes of them is the programs' business.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fleutan.config.sections import Agent, Collect, Config, Entry, Jobs, Lake, Limits, Record, Serve
from fleutan.config.values import Unknown, shown
from fleutan.errors import UsageError

__all__ = ["Agent", "Collect", "Config", "Jobs", "Lake", "Limits", "Record", "Serve", "again", "agree", "load", "parse"]

#: The file that is read if nobody names another, and if it is there.
SYSTEM = Path("/etc/fleutan.toml")
#: The variable that names a file.
VARIABLE = "FLEUTAN_CONFIG"
#: No file of that many octets is meant.
LARGEST = 1 << 20


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ, system: Path = SYSTEM) -> Config:
    """What a file says: ``path``, or else the one that ``environ`` names, or else ``system`` if it is there.

    Raises UsageError that names the file and the key, and the nearest key that is known.
    """
    found = path or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if found is None:
        if not system.exists():
            return Config()
        found = system
    try:
        with found.open("rb") as file:
            octets = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{found} cannot be read: {error.strerror}") from None
    return parse(octets, found)


def again(path: Path) -> None:
    """Raises UsageError for what cannot be read a second time: a pipe is empty by then, or has its reader wait."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"{path} is no regular file: it is read once only")


def parse(octets: bytes, path: Path) -> Config:
    """What these octets of a file say; ``path`` names it, and relative paths begin in its directory.

    Raises UsageError as ``load`` does.
    """
    if len(octets) > LARGEST:
        raise UsageError(f"{path} is no configuration: it has more than {LARGEST} bytes")
    try:
        said = tomllib.loads(octets.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: byte {error.start}") from None
    except ValueError as error:  # as a number of thousands of digits is, too
        raise UsageError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{path} is not TOML that is meant: it is nested too deeply") from None
    made: Config = replace(_section(Config(), said, "", path), file=path, said=frozenset(_keys(Config(), said, "")))
    _agree(made, path)
    return made


def _section(default: Any, said: Mapping[str, Any], name: str, path: Path) -> Any:
    """The section with what is said of it."""
    known = {field.name: field for field in fields(default) if field.metadata}
    for word in said:
        if word not in known:
            raise _unknown(path, name, "key" if name else "section", word, known)
    values = {word: _value(default, known[word], value, name, path) for word, value in said.items()}
    return replace(default, **values)


def _keys(default: Any, said: Mapping[str, Any], name: str) -> Iterator[str]:
    """The keys that a file has, each by its full name."""
    known = {field.name: field for field in fields(default)}
    for word, value in said.items():
        if "section" in known[word].metadata:
            yield from _keys(getattr(default, word), value, f"{name}{word}.")
        else:
            yield f"{name}{word}"


def _value(default: Any, field: Field[Any], said: Any, name: str, path: Path) -> Any:
    if "section" in field.metadata:
        below = f"{name}.{field.name}".lstrip(".")
        if not isinstance(said, dict):
            raise UsageError(f"{path}: [{below}] is a section, not {shown(said)}")
        return _section(getattr(default, field.name), said, below, path)
    entry: Entry = field.metadata["entry"]
    try:
        return entry.value.read(said, path.parent)
    except Unknown as error:
        raise _unknown(path, f"{name}.{field.name}", error.what, error.word, error.known) from None
    except ValueError as error:
        raise UsageError(f"{path}: [{name}] {field.name}: {error}") from None


def _unknown(path: Path, name: str, what: str, word: str, known: Iterable[str]) -> UsageError:
    near = get_close_matches(word.lower(), known := list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return UsageError(f"{path}: {f'[{name}] has' if name else 'there is'} no {what} {shown(word)}; {hint}")


#: Octets around one sampled header in a datagram that has nothing else: the datagram's (IPv6) and the sample's own
#: fields, and the head of the structure that has the header (sFlow Version 5, section 5); the header is rounded up.
AROUND = 40 + 52 + 24 + 4


def agree(agent: Agent) -> None:
    """Raises ValueError for the agent's keys that do not make sense one without another."""
    if agent.header_bytes + AROUND > agent.datagram_bytes:
        raise ValueError(
            f"[agent] header_bytes = {agent.header_bytes} does not fit into datagram_bytes = {agent.datagram_bytes};"
            f" {agent.datagram_bytes - AROUND} do"
        )
    if "nflog" in agent.packets.source and agent.packets.nflog_probability is None:
        raise ValueError("[agent.packets] source = 'nflog' needs nflog_probability: the kernel does not tell it")


#: What each way to look up jobs cannot do without.
_NEEDS = {"oar": ("url", "grid_url"), "command": ("command", "grid_command"), "file": ("file",)}


def _agree(made: Config, path: Path) -> None:
    """Raises UsageError for keys that do not make sense one without another."""
    if bool(made.serve.certificate) != bool(made.serve.key):
        raise UsageError(f"{path}: [serve] certificate and key go together")
    try:
        agree(made.agent)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    needed = _NEEDS.get(made.jobs.source, ())
    if needed and not any(getattr(made.jobs, name) for name in needed):
        raise UsageError(f"{path}: [jobs] source = {made.jobs.source!r} needs {' or '.join(needed)}")
