import hashlib
from pathlib import Path

import pytest

from comp.core.footer import SIZE, is_whole, read_place, seal

BODY = b"anything at all"


def test_a_seal_tells_the_place_and_that_the_content_is_whole(tmp_path: Path) -> None:
    content = BODY + seal(hashlib.sha256(BODY), 12, 345)
    assert len(content) == len(BODY) + SIZE
    assert is_whole(memoryview(content))
    (tmp_path / "a").write_bytes(content)
    assert read_place(tmp_path / "a") == (12, 345)


def test_every_bit_counts() -> None:
    content = BODY + seal(hashlib.sha256(BODY), 1, 2)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        assert not is_whole(memoryview(changed)), place
    assert not is_whole(memoryview(content[1:]))
    assert not is_whole(memoryview(content[:-1]))


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 1000])
def test_what_has_no_seal_has_no_place(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert read_place(tmp_path / "a") is None
    assert not is_whole(memoryview(content))
    assert read_place(tmp_path / "absent") is None
