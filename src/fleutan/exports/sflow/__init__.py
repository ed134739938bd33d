# SPDX-License-Identifier: Apache-2.0
"""What an agent observes as samples of sFlow version 5.

``counters`` and ``packets`` write samples, ``numbering`` counts them, ``datagrams`` puts them
together.  What is sent when and to whom is the agent's business.
"""
