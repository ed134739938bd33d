# SPDX-License-Identifier: Apache-2.0
"""sFlow versions 2, 4 and 5: what its datagrams look like, and messages and columns of them, both ways.

Nothing here receives or sends: bytes come in, and bytes go out.
"""
