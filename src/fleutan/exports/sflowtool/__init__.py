# SPDX-License-Identifier: Apache-2.0
"""sFlow messages in the words of sflowtool: text, lines for grep, JSON, and comma-separated lines.

Names, order and layout are sflowtool's (6.11), whose output scripts read.  Values that it gets
wrong are right here; a ``Dialect`` that is faithful gives them as it does, octet for octet, for
comparison and for scripts that count on them.  Pure: messages come in, bytes go out.
"""
