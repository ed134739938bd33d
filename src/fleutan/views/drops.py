# SPDX-License-Identifier: Apache-2.0
"""What was dropped, sent again or reset: whose it was, where, and why."""

from fleutan.views import View

VIEW = View(
    name="drops",
    columns=("event", "reason", "packets", "proc", "local", "remote", "dev", "bytes", "function", "meaning"),
    with_interval=(),
    luxuries=("function", "meaning"),
    spare=("bytes", "dev", "local", "event"),
    order=("packets", "bytes"),
)
