# SPDX-License-Identifier: Apache-2.0
from fleutan.errors import FilterError, NotSupported


def test_a_filter_error_points_at_the_place() -> None:
    error = FilterError("no field is called 'rt'", "tcp and rt > 1", 8)
    assert str(error).splitlines() == ["no field is called 'rt'", "  tcp and rt > 1", "          ^"]
    far = str(FilterError("wrong here", "a" * 500 + "!" + "b" * 500, 500)).splitlines()
    assert far[1][far[2].index("^")] == "!"
    assert max(map(len, far)) <= 80
    assert str(FilterError("an empty filter")) == "an empty filter"


def test_not_supported_says_why_and_what_to_do() -> None:
    error = NotSupported("iter/tcp", "no BTF", "boot a kernel with CONFIG_DEBUG_INFO_BTF")
    assert str(error) == "iter/tcp: no BTF; boot a kernel with CONFIG_DEBUG_INFO_BTF"
    assert str(NotSupported("iter/tcp", "no BTF")) == "iter/tcp: no BTF"
