# SPDX-License-Identifier: Apache-2.0
"""A place for what a test does to the network of this machine."""

from __future__ import annotations

from tests.linux.conftest import namespace

__all__ = ["namespace"]
