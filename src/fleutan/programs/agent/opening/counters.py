# SPDX-License-Identifier: Apache-2.0
"""Where counters come from is opened: the host, what runs on it, applications that tell their own."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from fleutan.linux.cgroupstats.hierarchies import hierarchies
from fleutan.programs.agent.accelerated import Accelerated
from fleutan.programs.agent.applications import Applications, rates
from fleutan.programs.agent.explaining import Lack
from fleutan.programs.agent.listening import Listening
from fleutan.programs.agent.opening import Opening
from fleutan.sources.counters import CounterSource
from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.entities import Entities, Settings
from fleutan.sources.counters.entities.gpus import Gpus
from fleutan.sources.counters.entities.kinds import Choice
from fleutan.sources.counters.entities.traffic import Counting
from fleutan.sources.counters.host import HostCounters


def host(opening: Opening, devices: Devices, uuid: bytes | None) -> CounterSource:
    """The host, with its GPUs if they are to be told."""
    found = HostCounters(devices, uuid, socket.gethostname())
    if not opening.settings.gpus:
        return found
    gpus = opening.held.enter_context(Gpus())
    if gpus.trouble:
        opening.lacks["gpus"] = Lack((), gpus.trouble)
    return Accelerated(found, gpus)


def entities(opening: Opening, uuid: bytes | None) -> Entities | None:
    """Units and containers; None if none of them are to be told."""
    said = opening.settings
    if not (said.systemd or said.scopes or said.containers):
        return None
    moved = opening.held.enter_context(Counting(hierarchies().v2))
    choice = Choice(said.systemd, said.scopes, said.containers, pods=said.containers)
    found = Entities(uuid, Settings(choice, hostnames=said.hostnames, state=numbers()), moved.read)
    opening.held.callback(found.close)
    opening.noted["entities"] = lambda: [
        *found.notes(),
        *([f"traffic of units: {moved.trouble}"] if moved.trouble else []),
    ]
    return found


def applications(opening: Opening) -> Applications | None:
    """Applications that send their own figures; None if nobody listens, or cannot."""
    if opening.settings.json_port is None and opening.settings.json_fifo is None:
        return None
    return opening.tried("applications", lambda: _applications(opening))


def _applications(opening: Opening) -> Applications:
    said = opening.settings
    listening = opening.held.enter_context(Listening(said.json_port, said.json_fifo))
    found = Applications(listening, rates(said.applications, said.sampling.default))
    opening.noted["applications"] = found.notes
    return found


def numbers(environ: Mapping[str, str] = os.environ) -> str | None:
    """The file where units and containers keep their numbers; None where there is no place for it."""
    folder = environ.get("STATE_DIRECTORY", "").partition(":")[0] or "/var/lib/fleutan"
    path = os.path.join(folder, "agent.json")
    return path if os.access(folder, os.W_OK) or os.access(path, os.W_OK) else None
