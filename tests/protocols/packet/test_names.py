# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.packet.names import NAMES, Layer, layer_of


def test_every_name_has_a_layer_and_a_meaning() -> None:
    assert all(Layer.LINK <= layer_of(name) <= Layer.TUNNEL and NAMES[name] for name in NAMES)


def test_names_inside_tunnels_need_the_walk_through_them() -> None:
    assert layer_of("src_mac") is Layer.LINK
    assert layer_of("src") is Layer.NETWORK
    assert layer_of("sport") is Layer.TRANSPORT
    assert layer_of("truncated") is Layer.TUNNEL
    assert layer_of("inner_src_mac") is layer_of("inner_inner_sport") is Layer.INNER


@pytest.mark.parametrize("name", ["", "source", "inner_source", "src_inner_"])
def test_other_names_are_none(name: str) -> None:
    with pytest.raises(KeyError):
        layer_of(name)
