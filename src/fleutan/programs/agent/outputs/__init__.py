# SPDX-License-Identifier: Apache-2.0
"""Other ways than sFlow on which the agent's observations go: each file is one.

All of them take what they are given without waiting, and what they cannot pass on is counted: nothing
that a peer does, or does not, holds up the agent.
"""
