# SPDX-License-Identifier: Apache-2.0
"""NetFlow versions 1, 5, 7 and 9 and IPFIX, read and written."""
