# SPDX-License-Identifier: Apache-2.0
"""fleutan: this host's network flows, with their owners, their latency and what limits them."""

__version__ = "0.1.0"
