# SPDX-License-Identifier: Apache-2.0
"""Packet headers as columns: what a batch of captured, often truncated, packets says in its headers.

``decode.decode`` reads them; ``names`` lists what it can give.  Rows are walked together: all
that stand at the same kind of header take the same step, so that the number of steps depends on
the kinds of headers and not on the number of packets.
"""
