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


def test_any_flipped_byte_and_any_exchange_changes_the_row_sum() -> None:
    payload = np.random.default_rng(0).integers(0, 256, 45, dtype=np.uint8)  # 5 words and 5 bytes
    total = checksums.row_sum(payload)
    assert checksums.row_sum(payload.tobytes()) == total
    assert checksums.row_sum(payload.reshape(9, 5)) == total
    for place in range(len(payload)):
        flipped = payload.copy()
        flipped[place] ^= 0x80
        assert checksums.row_sum(flipped) != total
    words = payload[:40].reshape(5, 8)
    exchanged = np.concatenate([words[[1, 0, 2, 3, 4]].ravel(), payload[40:]])
    assert checksums.word_sum(exchanged) == checksums.word_sum(payload)
    assert checksums.row_sum(exchanged) != total
    assert checksums.row_sum(payload[:40]) != checksums.row_sum(np.append(payload[:40], [0] * 8))


def test_the_row_sum_is_the_same_for_ever() -> None:
    """It lies in packs: another value would make all of them anew."""
    assert checksums.row_sum(b"") == 0
    assert checksums.row_sum(bytes(range(20))) == 1302068480742158330
    long = np.arange(600_000, dtype=np.uint32).view(np.uint8)  # more than one block
    assert checksums.row_sum(long) == 16015089762911161740
    swapped = np.concatenate([long[262_144 : 2 * 262_144], long[:262_144], long[2 * 262_144 :]])
    assert checksums.row_sum(swapped) != 16015089762911161740
