# SPDX-License-Identifier: Apache-2.0
"""Asks Linux in Linux's words.

The only room that opens netlink, BPF, /proc and /sys.  It answers in the kernel's names and
units; what they mean in fleutan's words is decided in ``sources``.
"""
