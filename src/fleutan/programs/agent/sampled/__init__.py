# SPDX-License-Identifier: Apache-2.0
"""What sources know of sampled and dropped packets, under the names of sFlow's structures: a file a kind of source.

A batch becomes one ``Sampled``, by columns.  Who takes it from its source is no business of this room.
"""
