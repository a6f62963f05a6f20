"""The secrets of the environment, and texts without them.

A program that is called, a library that fails or a server that answers may print what it was given.
Whatever of that reaches the terminal, a log, a page or a file goes through `hidden` first.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST = 4  # letters; what is shorter would be found in words and numbers that are no secret
_SHORTEST_CODED = 8  # letters of a secret in Base64: fewer may be chance
_NAMED = re.compile(
    r"(^|_)\w*(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|CONNECTION_STRING|CONN_STR|COOKIE|APIKEY|PRIVATEKEY)S?\d*(_|$)"
    r"|(^|_)(PASS|PAT|KEY|KEYS|AUTH|AUTHORIZATION|JWT|BEARER|PRIVATE|DSN|WEBHOOK|\w+KEY)\d*(_|$)"
    r"|\w_PWD$"
)
_PLAIN = {"true", "false", "none", "null", "auto", "default", "disabled", "enabled", "always"}
_IN_ADDRESS = re.compile(r"://([^\s/@:]*):([^\s/@]+)@")  # name and password of an address


def hidden(text: str) -> str:
    """`text` with `***` for each secret of the environment, as it is or coded.

    Secrets are the values of variables whose names say so (`..._TOKEN`, `AWS_SECRET_ACCESS_KEY`,
    `DB_PASSWORD`, ...) and passwords in addresses. Found are the value, its lines, its forms in
    JSON, URLs, hexadecimal digits, and in Base64, alone or within something longer.
    """
    pattern = _pattern(tuple(_secrets(os.environ)))
    return text if pattern is None else pattern.sub(MASK, text)


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if _NAMED.search(name.upper()) and _is_secret(value):
            yield value
        if "://" in value:
            yield from (found[1] for found in _IN_ADDRESS.findall(value) if _is_secret(found[1]))


def _is_secret(value: str) -> bool:
    value = value.strip()
    is_path = os.sep in value and os.path.exists(value)  # noqa: PTH110 - of any text, quickly
    return len(value) >= _SHORTEST and value.lower() not in _PLAIN and not is_path


@functools.lru_cache(maxsize=8)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return None
    coded = {form for secret in secrets for form in _in_base64(secret)}
    plain = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
    # Base64 may be broken into lines anywhere
    broken = [r"\n?".join(map(re.escape, form)) for form in sorted(coded, key=len, reverse=True)]
    return re.compile("|".join([*plain, *broken]))


def _forms(secret: str) -> Iterator[str]:
    """A secret, its lines, and both as they look in JSON, in `repr`, in URLs and in hexadecimal."""
    lines = [line.strip() for line in secret.splitlines()]
    lines = [line for line in lines if not line.startswith("-----")]  # around a key, no part of it
    for text in {secret.strip(), *lines}:
        if len(text) < _SHORTEST:
            continue
        yield from (text, repr(text)[1:-1], ascii(text)[1:-1])
        for escaped in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
            yield escaped[1:-1]
        for address in (quote(text), quote(text, safe=""), quote_plus(text)):
            yield address
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), address)
        if len(text) >= _SHORTEST_CODED:
            digits = text.encode(errors="surrogateescape").hex()
            yield from (digits, digits.upper())


def _in_base64(secret: str) -> Iterator[str]:
    """What of a secret's Base64 is the same whatever stands before and behind it."""
    for text in {secret, secret.strip()}:
        content = text.encode(errors="surrogateescape")
        for before in range(3):
            coded = base64.b64encode(b"\0" * before + content).decode()
            own = coded[-(-8 * before // 6) : 8 * (before + len(content)) // 6]
            if len(own) >= _SHORTEST_CODED:
                yield own
                yield own.replace("+", "-").replace("/", "_")
