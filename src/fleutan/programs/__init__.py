# SPDX-License-Identifier: Apache-2.0
"""Long-running plumbing: what comes in at one end goes out at others.

What lives here joins sources, analysis and exports, and knows no option of a command line.
"""
