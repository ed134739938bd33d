# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan record``; imported only when it runs."""

from __future__ import annotations

from fleutan.faces.cli import configured
from fleutan.faces.cli.configured import Held
from fleutan.faces.cli.lakes import lake_of
from fleutan.faces.cli.record import settings
from fleutan.faces.cli.saying import say
from fleutan.lake.apart import Apart
from fleutan.lake.writer import Writer
from fleutan.live import host_name
from fleutan.programs.recording import run
from fleutan.programs.recording.settings import Settings
from fleutan.programs.recording.told import Told
from fleutan.programs.signals import Orders
from fleutan.sources.service import Service


def records(held: Held, orders: Orders, service: Service) -> None:
    """Records until it is ordered to stop, or for as long as was asked; to reload is to begin anew."""

    def asked(again: bool) -> Settings:
        if again:
            service.reloading()
            if trouble := held.again(settings):
                say(trouble)
        return settings(held.words)

    def opened(_: Settings) -> Told:
        root, config = lake_of(held.words["root"]), held.config
        apart = Apart(root, host_name(), configured.keep(config))
        return Told(Writer(root, "record", configured.limits(config), apart=apart), service)

    run(asked, opened, orders, say)
