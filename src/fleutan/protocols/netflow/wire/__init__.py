# SPDX-License-Identifier: Apache-2.0
"""Where headers, sets, templates and records lie in datagrams, and what is rejected of them."""
