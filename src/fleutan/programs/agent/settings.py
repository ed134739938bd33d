# SPDX-License-Identifier: Apache-2.0
"""What is in force, and who says so: the command line, then a file, then the DNS, then what goes without saying.

hsflowd lets the DNS replace its file; here it says only what the file does not, so that a name server
cannot take away what the administrator of the host wrote down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleutan.config import Agent, Config, agree
from fleutan.config.hsflowd import Settings
from fleutan.config.sections import changed
from fleutan.errors import UsageError
from fleutan.programs.agent.discovery import SERVICE, Found
from fleutan.programs.agent.texts import texts

DEFAULT, GIVEN = "default", "command line"


@dataclass(frozen=True)
class Told:
    """What a file says: the agent, where each of its keys stands, and what is to be remarked."""

    agent: Agent = field(default_factory=Agent)
    origins: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def of_config(config: Config) -> Told:
    """What a TOML file says of the agent."""
    keys = [key.removeprefix("agent.") for key in config.said if key.startswith("agent.")]
    return Told(config.agent, dict.fromkeys(keys, str(config.file)))


def of_hsflowd(settings: Settings) -> Told:
    """What hsflowd.conf says."""
    return Told(settings.agent, settings.origins, tuple(settings.remarks))


@dataclass(frozen=True)
class Effective:
    """The agent as it is in force; ``origins`` say whose word each key is, defaults have none."""

    agent: Agent
    origins: Mapping[str, str]
    remarks: tuple[str, ...] = ()

    def origin(self, key: str) -> str:
        """Who says a key, as ``packets.source``; of a collector, as ``collectors`` and its title."""
        return self.origins.get(key) or self.origins.get(key.partition(" ")[0], DEFAULT)

    def lines(self) -> list[str]:
        """Every setting with who says it, one a line."""
        return [f"{text}: {self.origin(key)}" for key, text in texts(self.agent)]


def merged(
    told: Told, given: Mapping[str, Any] | None = None, found: Found | None = None, domain: str = ""
) -> Effective:
    """All that is said, taken together.

    ``given`` are values of the command line by key, as ``packets.source``; ``found`` is what the DNS of
    ``domain`` said.  Raises UsageError where what is given does not go together with the rest.
    """
    given = given or {}
    origins = {key: origin for key, origin in told.origins.items() if key.partition(" ")[0] not in given}
    agent = changed(told.agent, given)
    origins |= dict.fromkeys(given, GIVEN)
    try:
        agree(agent)
    except ValueError as error:
        raise UsageError(str(error)) from None
    made = Effective(agent, origins, told.remarks)
    return made if found is None else _with(made, found, domain)


def _with(made: Effective, found: Found, domain: str) -> Effective:
    """With what the DNS says that nobody else does."""
    whose = f"DNS-SD, {SERVICE}{f'.{domain}' if domain else ''}"
    said = dict(found.values) | ({"collectors": found.collectors} if found.collectors else {})
    values = {key: value for key, value in said.items() if key not in made.origins}
    remarks = [*made.remarks, *found.remarks]
    remarks += [
        f"{whose}: its {_word(key)} do not count: {made.origins[key]} has its own"
        for key in said
        if key in made.origins
    ]
    try:
        agree(changed(made.agent, values))
    except ValueError as error:
        remarks.append(f"{whose}: {error}")
        values.pop("header_bytes", None)
    agent = changed(made.agent, values)
    return Effective(agent, {**made.origins, **dict.fromkeys(values, whose)}, tuple(remarks))


def _word(key: str) -> str:
    return key if key.endswith("s") else f"values of {key}"


class InForce:
    """What is in force while an agent runs; ``effective`` is that.

    ``read`` reads the file again and raises UsageError; what was before stays then.
    """

    def __init__(self, read: Callable[[], Told], given: Mapping[str, Any] | None = None) -> None:
        self._read, self._given = read, dict(given or {})
        self._found: Found | None = None
        self._told = read()
        self.effective = self._made()

    def again(self) -> str:
        """Reads it again; what is wrong with it, in which case what ran before goes on."""
        before = self._told
        try:
            self._told = self._read()
            self.effective = self._made()
        except UsageError as error:
            self._told = before
            return f"{error}; what ran before goes on"
        return ""

    def discovered(self, found: Found | None) -> bool:
        """Takes what the DNS says now; whether something else is in force."""
        before, self._found = self.effective, found
        self.effective = self._made()
        return self.effective.agent != before.agent

    def _made(self) -> Effective:
        domain = changed(self._told.agent, self._given).dns_sd
        return merged(self._told, self._given, None if domain is None else self._found, domain or "")
