# SPDX-License-Identifier: Apache-2.0
"""Tables -> foreign bytes.  Nothing here opens a file or a socket: bytes are yielded."""
