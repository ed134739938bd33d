# SPDX-License-Identifier: Apache-2.0
"""Known answers of FIPS 197 and NIST SP 800-38A."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols import aes

#: key, block, encrypted: FIPS 197 appendices B and C.1; SP 800-38A F.1.1; all zeros.
KNOWN = (
    ("2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734", "3925841d02dc09fbdc118597196a0b32"),
    ("000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a"),
    ("2b7e151628aed2a6abf7158809cf4f3c", "6bc1bee22e409f96e93d7e117393172a", "3ad77bb40d7a3660a89ecaf32466ef97"),
    ("2b7e151628aed2a6abf7158809cf4f3c", "ae2d8a571e03ac9c9eb76fac45af8e51", "f5d3d58503b9699de785895a96fdbaaf"),
    ("2b7e151628aed2a6abf7158809cf4f3c", "30c81c46a35ce411e5fbc1191a0a52ef", "43b1cd7f598ece23881b00e3ed030688"),
    ("00000000000000000000000000000000", "00000000000000000000000000000000", "66e94bd4ef8a2c3b884cfa59ca342b2e"),
)


def block(text: str) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(bytes.fromhex(text), np.uint8)[None]


@pytest.mark.parametrize(("key", "plain", "encrypted"), KNOWN)
def test_known_answers(key: str, plain: str, encrypted: str) -> None:
    assert aes.encrypted(aes.schedule(bytes.fromhex(key)), block(plain)).tobytes().hex() == encrypted


def test_the_keys_of_the_rounds() -> None:
    """FIPS 197 appendix A.1."""
    keys = aes.schedule(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"))
    assert keys.shape == (11, 16)
    assert keys[1].tobytes().hex() == "a0fafe1788542cb123a339392a6c7605"
    assert keys[10].tobytes().hex() == "d014f9a8c9ee2589e13f0cc8b6630ca6"


def test_the_box_is_a_permutation_without_fixed_points() -> None:
    box = aes.substitutions()
    assert sorted(box.tolist()) == list(range(256))
    assert box[[0x00, 0x01, 0x53, 0xFF]].tolist() == [0x63, 0x7C, 0xED, 0x16]
    assert (box != np.arange(256)).all()


@given(st.binary(min_size=16, max_size=16), st.integers(0, 40))
def test_blocks_do_not_depend_on_their_neighbours(key: bytes, many: int) -> None:
    blocks = np.arange(16 * many, dtype=np.uint8).reshape(-1, 16)
    keys = aes.schedule(key)
    together = aes.encrypted(keys, blocks)
    assert together.shape == blocks.shape
    for one, found in zip(blocks, together, strict=True):
        assert aes.encrypted(keys, one[None]).tobytes() == found.tobytes()
