# SPDX-License-Identifier: Apache-2.0
"""The agent: this host's counters, sampled packets and dropped ones, exported as sFlow and in other forms."""
