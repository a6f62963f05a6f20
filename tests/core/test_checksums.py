from __future__ import annotations

from pathlib import Path

import numpy as np

from comp.core import checksums


def test_line_digests_tell_where_lines_end() -> None:
    assert checksums.digest_lines(["ab", "c"]) != checksums.digest_lines(["a", "bc"])
    assert checksums.digest_lines(["ab"]) == checksums.digest_lines(iter(["ab"]))


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert checksums.digest_file(tmp_path / "x").startswith("ba7816bf8f01cfea")


def test_a_file_that_cannot_be_read_has_the_digest_missing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert checksums.short_file_digest(tmp_path / "x") == checksums.short_digest(b"abc")
    assert len(checksums.short_digest(b"abc")) == checksums.SHORT_DIGITS
    assert checksums.short_file_digest(tmp_path / "y") == "missing"


def test_any_flipped_byte_changes_the_word_sum() -> None:
    payload = np.arange(21, dtype=np.uint8)  # two words and a rest of five bytes
    total = checksums.word_sum(payload)
    assert checksums.word_sum(payload.tobytes()) == total
    assert checksums.word_sum(b"") == 0
    for place in range(len(payload)):
        flipped = payload.copy()
        flipped[place] ^= 0x80
        assert checksums.word_sum(flipped) != total
