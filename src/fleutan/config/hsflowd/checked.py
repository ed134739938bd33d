# SPDX-License-Identifier: Apache-2.0
"""The tree of hsflowd.conf compared with the grammar: values read, each with its place, and what is not used named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from fleutan.config.agents import Application, application_name, bits
from fleutan.config.hsflowd import grammar
from fleutan.config.hsflowd.tree import Block, Option
from fleutan.config.values import shown
from fleutan.errors import UsageError

#: How an option begins whose end is a speed or a name.
WILD = ("sampling.", "polling.")


@dataclass
class Found:
    """A block's values by option: the last of each, all of those that may come several times; and where they stand."""

    name: str
    place: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, otherwise: Any = None) -> Any:
        """The value of an option, if it is said."""
        return self.values.get(name, otherwise)


@dataclass
class Checked:
    """What a file says: of ``sflow`` itself, of its blocks by name, and the remarks on what is not used."""

    path: str
    top: Found
    blocks: dict[str, list[Found]] = field(default_factory=dict)
    speeds: dict[int, int] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def of(self, *names: str) -> list[Found]:
        """The blocks of these names, in their order."""
        return [found for name in names for found in self.blocks.get(name, ())]


def check(root: Block, path: str) -> Checked:
    """What the tree says.  Raises UsageError for what the grammar does not have, with file and line."""
    checked = Checked(path, Found("sflow", f"{path}:{root.line}"))
    checked.remarks += [
        f"{path}:{block.line}: {block.name} {{ is never closed" for block in root.all() if not block.closed
    ]
    for option in root.options:
        if option.name.lower().startswith(WILD) and option.name.lower() != "sampling.bps_ratio":
            _wild(checked, option)
        else:
            _take(checked, checked.top, {**grammar.TOP, "sampling.bps_ratio": grammar.Value(_ratio)}, option)
    for block in root.blocks:
        _block(checked, block)
    return checked


_ratio = grammar.whole(0, (1 << 32) - 1)


def _block(checked: Checked, block: Block) -> None:
    name, place = block.name.lower(), f"{checked.path}:{block.line}"
    rule = grammar.BLOCKS.get(name)
    if rule is None:
        raise UsageError(f"{place}: sflow {{ }} has no block {_meant(block.name, grammar.BLOCKS)}")
    if rule.unsupported:
        checked.remarks.append(f"{place}: {name} {{ }} is not supported: {rule.unsupported}")
        return
    if block.blocks:
        raise UsageError(f"{checked.path}:{block.blocks[0].line}: {name} {{ }} has no blocks in it")
    if rule.fate:
        checked.remarks.append(f"{place}: {name} {{ }} makes no difference: {rule.fate}")
    found = Found(name, place)
    for option in block.options:
        _take(checked, found, rule.options, option)
    checked.blocks.setdefault(name, []).append(found)


def _take(checked: Checked, into: Found, known: Any, option: Option) -> None:
    place = f"{checked.path}:{option.line}"
    value = known.get(option.name.lower())
    if value is None:
        raise UsageError(f"{place}: {into.name} {{ }} has no option {_meant(option.name, known)}")
    said = _read(value.read, option, place)
    if value.fate:
        checked.remarks.append(f"{place}: {option.name} makes no difference: {value.fate}")
        return
    name = value.name or option.name.lower()
    if name == "agent.cidr":
        said = (*into.get(name, ()), said)
    into.values[name] = said
    into.places[name] = place


def _read(read: Any, option: Option, place: str) -> Any:
    try:
        return read(option.value)
    except ValueError as error:
        raise UsageError(f"{place}: {option.name}: {error}") from None


def _meant(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word.lower(), known, n=1)
    return f"{shown(word)}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}")


def _wild(checked: Checked, option: Option) -> None:
    """``sampling.10G = …``, ``sampling.app.shop = …``, ``polling.app.shop = …``."""
    place = f"{checked.path}:{option.line}"
    what, _, name = option.name.partition(".")
    if not name:
        raise UsageError(f"{place}: a speed or a name is expected behind {option.name}")
    is_rate = what.lower() == "sampling"
    said = _read(grammar.RATE if is_rate else grammar.SECONDS, option, place)
    try:
        if is_rate and name[0].isdecimal():
            checked.speeds[bits(name)] = said
        else:
            before = checked.applications.get(application_name(name), Application())
            checked.applications[name] = before._replace(**{what.lower(): said})
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None
    checked.top.places.setdefault("sampling." if is_rate else "applications", place)


def unused(checked: Checked) -> Iterator[str]:
    """The options that count only beside a block that is not there."""
    for name, block in (("nfloggroup", "nflog"), ("nflogprobability", "nflog"), ("dnssd_domain", "dns-sd")):
        has_block = block in checked.blocks or (block == "dns-sd" and checked.top.get("dnssd", False))
        if name in checked.top.values and not has_block:
            yield f"{checked.top.places[name]}: it counts only with {block} {{ }}"
