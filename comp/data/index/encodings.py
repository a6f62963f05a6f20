"""Which encoding the bytes of a table are in: text, and a note where it is not plain UTF-8.

UTF-8 and the marks of UTF-16 and UTF-32 are certain. Of older encodings many can decode the same
bytes, most of them to nonsense. Each is judged by what its text would look like: Korean is made of
the 2,350 usual syllables, Chinese and Japanese mostly of the first thousands of their characters,
in a Western word letters with accents are fewer than those without.
"""

from __future__ import annotations

import codecs
import itertools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from comp.core.errors import DataError, first

# The longer mark first: that of UTF-32 begins with that of UTF-16
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PLAUSIBLE = 0.9  # the share of letters that must look like a language
_READ = 2_000  # lines with letters beyond ASCII that are looked at
_PUNCTUATION = frozenset("’‘“”„–—…€£¥§°«»ºª©®·¿¡´×÷±²³µ†‰№\xa0")
# Syllables that make up most of a Korean text; those that Chinese bytes happen to be seldom are
_COMMON = frozenset(
    "가각간감강개거건것게격결경계고공과관교구국군권그금급기길김까나남내너네년노농누는능니다단달당대더덕데도독동된두드든들등디"
    "따때라람랑래러량력련령로론료루류르른를름리림마만말망매머면명모목무문물미민바박반발방배백버번법변별병보복본부북분불브비사산살"
    "상새색생서석선설성세소속손송수순스승시식신실심아안않알암압애야약양어언업없에여역연열영예오온와완왜외요용우운원월위유육으은을"
    "음응의이인일임입있자작장재저적전절점정제조족종좌주중증지직진질집차착찬창책처천철청체초총최추축출충치코크타태터테토통투트특파"
    "판패팬페편평포표품프피하학한할함합항해행향허현형호혼화확환활황회후흐흔희히"
)


@dataclass(frozen=True)
class Decoded:
    """The text of a file without its byte order mark.

    `encoding`  a codec of Python
    `mark`      the byte order mark, or nothing
    `note`      what was interpreted, as a message; empty for UTF-8
    """

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    note: str = ""


def decode(
    path: Path,
    content: bytes,
    encoding: str | None = None,
    beside: Callable[[], Sequence[bytes]] = tuple,
) -> Decoded:
    """The text in some bytes.

    encoding: what the user says they are in (`data.encoding`); a byte order mark and letters that
    are valid UTF-8 are believed before it. beside: the other tables of the data set; an older
    encoding is one for all of them, if there is one. Raises DataError where the bytes are not in
    `encoding`, and without it where no encoding gives text.
    """
    for mark, name in MARKS:
        if content.startswith(mark):
            note = "" if name == "utf-8" else f"the text is {name}"
            return Decoded(_strict(path, content.removeprefix(mark), name), name, mark, note)
    if encoding is not None and not _surely_utf8(content):
        return Decoded(_strict(path, content, encoding), encoding)
    if content[:4000].count(0) > 0.2 * len(content[:4000]):
        return _wide(path, content)
    if _is_utf8(content):
        return Decoded(content.decode("utf-8"))
    return _older(path, content, [other for other in beside() if not _is_utf8(other)])


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _surely_utf8(content: bytes) -> bool:
    """Whether letters beyond ASCII are UTF-8, and not the few bytes of another encoding that
    happen to be."""
    if content.isascii() or not _is_utf8(content):
        return False
    beyond = [letter for letter in content.decode("utf-8") if letter > "\x7f"]
    return len(beyond) > 4 or any(letter > "\u07ff" for letter in beyond)


def _strict(path: Path, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, UnicodeError) as problem:
        line = content[: getattr(problem, "start", 0)].count(b"\n") + 1
        raise DataError(
            f"{path}: line {line}: not {encoding} text; set data.encoding to what it was saved in, "
            "or save it as UTF-8"
        ) from problem


def _wide(path: Path, content: bytes) -> Decoded:
    """UTF-16 without a mark: every second byte of plain letters is zero."""
    even, odd = content[0:4000:2].count(0), content[1:4000:2].count(0)
    name = "utf-16-le" if odd >= even else "utf-16-be"
    try:
        text = content.decode(name)
    except UnicodeDecodeError:
        text = "\0"
    if any(map(_strange, text[:4000])):
        raise DataError(f"{path}: holds bytes that are no text; is it a table? Save it as UTF-8")
    return Decoded(text, name, note=f"the text is {name}")


def _strange(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cn", "Co", "Cs") and letter not in "\r\n\t"


def _older(path: Path, content: bytes, others: Sequence[bytes]) -> Decoded:
    """The encoding whose text looks most like a language, of equals the first."""
    found = _readings(content, others) or _readings(content, ())
    if not found:
        raise DataError(
            f"{path}: neither UTF-8 nor text in an encoding that is recognised "
            f"({', '.join(_OLDER)}); set data.encoding to what it was saved in, or save it as UTF-8"
        )
    name, text = next(iter(found.items()))
    readings = [f"{other} ({_example(_odd_lines(own))})" for other, own in found.items()]
    if name == "cp949" and _share(_letters(_odd_lines(text)), _common) >= 0.3:
        readings = readings[:1]
    elif name == "cp949" and {*found} & {"gb18030", "big5"}:
        raise DataError(
            f"{path}: the encoding is not clear: {' or '.join(readings)}; set data.encoding to the "
            "one whose letters are right, or save it as UTF-8"
        )
    note = f"read as {' or else '.join(readings)}; if the letters are wrong, set data.encoding"
    return Decoded(text, name, note=note)


def _readings(content: bytes, others: Sequence[bytes]) -> dict[str, str]:
    """encoding -> text, of those whose text, that of the others with it, looks like a language."""
    found: dict[str, str] = {}
    for name, looks in _OLDER.items():
        try:
            text, *more = (part.decode(name) for part in (content, *others))
        except UnicodeDecodeError:
            continue
        odd = "\n".join(_odd_lines(part) for part in (text, *more))
        if text not in found.values() and looks(odd) >= _PLAUSIBLE:
            found[name] = text
    return found


def _odd_lines(text: str) -> str:
    """The lines that are not ASCII, up to a limit: what an encoding is judged by."""
    lines = (line for line in text.splitlines() if not line.isascii())
    return "\n".join(itertools.islice(lines, _READ))


def _common(letter: str) -> bool:
    return letter in _COMMON


def _example(text: str) -> str:
    """The first words with letters beyond ASCII."""
    words = (word.strip("\"',;|") for word in text.replace(",", " ").replace(";", " ").split())
    return first(dict.fromkeys(itertools.islice((w for w in words if not w.isascii()), 3)), 3)


def _letters(text: str) -> list[str]:
    """The letters beyond ASCII."""
    return [c for c in text if c > "\x7f" and unicodedata.category(c)[0] in "LMC"]


def _share(letters: list[str], usual: Callable[[str], bool]) -> float:
    known = {letter: usual(letter) for letter in set(letters)}
    return sum(known[letter] for letter in letters) / len(letters) if letters else 0.0


def _lead(letter: str, codec: str) -> int:
    """The first byte of a letter in a narrow codec; 0 where it has no two bytes there."""
    try:
        code = letter.encode(codec)
    except UnicodeEncodeError:
        return 0
    return code[0] if len(code) == 2 else 0


def _korean(text: str) -> float:
    """The share of usual syllables; one syllable inside a Latin word is none."""
    usual = _share(
        _letters(text), lambda c: "가" <= c <= "힣" and 0xB0 <= _lead(c, "euc_kr") <= 0xC8
    )
    runs = [word for word in _words(text) if not word.isascii()]
    inside = [word[0].isascii() and word[-1].isascii() and _beyond(word) == 1 for word in runs]
    return usual * (1 - sum(inside) / max(1, len(runs)))


def _japanese(text: str) -> float:
    usual = _share(_letters(text), lambda c: _kana(c) or 0x88 <= _lead(c, "shift_jis") <= 0x97)
    return usual * (1 - _in_latin(text))


def _japanese_unix(text: str) -> float:
    """Kana are asked for: without them it could as well be Chinese."""
    letters = _letters(text)
    return _japanese(text) if _share(letters, _kana) >= 0.2 else 0.0


def _kana(letter: str) -> bool:
    return "ぁ" <= letter <= "ヿ"


def _chinese(text: str) -> float:
    usual = _share(_letters(text), lambda c: 0xB0 <= _lead(c, "gb2312") <= 0xD7)
    return usual * (1 - _in_latin(text))


def _traditional(text: str) -> float:
    usual = _share(_letters(text), lambda c: 0xA4 <= _lead(c, "big5") <= 0xC6)
    return usual * (1 - _in_latin(text))


def _in_latin(text: str) -> float:
    """The share of words that are one character beside small Latin letters: a Western accent."""
    words = [word for word in _words(text) if not word.isascii()]
    found = [_beyond(word) == 1 and any("a" <= c <= "z" for c in word) for word in words]
    return sum(found) / max(1, len(found))


def _cyrillic(text: str) -> float:
    """Cyrillic letters in words that do not rise to capitals."""
    words = [word for word in _words(text) if not word.isascii()]
    good = [
        all("А" <= c <= "я" or c in "Ёё" for c in word)
        and (word[1:].islower() or word.isupper() or len(word) == 1)
        for word in words
    ]
    return sum(good) / len(words) if words else 0.0


def _western(text: str) -> float:
    """Words with plain letters among those with accents, and usual signs."""
    words = [word for word in _words(text) if not word.isascii()]
    accents = sum(map(_beyond, words))
    signs = [c for c in text if c > "\x7f" and not c.isalpha()]
    if accents > 2 * (sum(map(len, words)) - accents) or (not words and not signs):
        return 0.0
    good = [*(not _mixed_case(word) for word in words), *(c in _PUNCTUATION for c in signs)]
    return sum(good) / len(good)


def _mixed_case(word: str) -> bool:
    """Whether a capital with an accent follows a small letter."""
    return any(a.islower() and b > "\x7f" and b.isupper() for a, b in itertools.pairwise(word))


def _beyond(word: str) -> int:
    return sum(letter > "\x7f" for letter in word)


def _words(text: str) -> Iterator[str]:
    """The runs of letters."""
    return ("".join(own) for is_letter, own in itertools.groupby(text, str.isalpha) if is_letter)


# What is sought in bytes that are no UTF-8, in the order in which it is believed
_OLDER: dict[str, Callable[[str], float]] = {
    "cp949": _korean,  # what Korean Excel saves
    "cp1252": _western,
    "cp932": _japanese,
    "euc_jp": _japanese_unix,
    "gb18030": _chinese,
    "cp1250": _western,
    "big5": _traditional,
    "cp1251": _cyrillic,
}
