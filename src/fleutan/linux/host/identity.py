# SPDX-License-Identifier: Apache-2.0
"""Which host this is: its identifier (/etc/machine-id, /sys/class/dmi/id/product_uuid)."""

from __future__ import annotations

import re

_HEX = re.compile(r"[0-9a-fA-F]{32}")


def identifier(text: str) -> bytes | None:
    """The 16 octets of 32 hexadecimal digits, with dashes or without; None for what is none.

    All zeros and all ones are what firmware says that has none.
    """
    digits = text.strip().replace("-", "")
    octets = bytes.fromhex(digits) if _HEX.fullmatch(digits) else b""
    return octets if octets.strip(b"\0") and octets.strip(b"\xff") else None
