# SPDX-License-Identifier: Apache-2.0
"""What control groups use: processor, memory, disks, processes, by the kernel's files of v2 and v1.

Where the kernel does not account for a group (no controller, no accounting), what its processes
count themselves stands for it.  What a path means is known in ``linux.cgroups``.
"""
