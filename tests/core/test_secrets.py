"""No secret of the environment is in what is shown or written, in whatever form."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from comp.core.secrets import hidden

SECRET = "p@ss/w+rd=é8Zq"


@pytest.mark.parametrize(
    "name",
    [
        "DACON_TOKEN",
        "WANDB_API_KEY",
        "KAGGLE_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "HF_TOKEN",
        "HUGGINGFACEHUB_API_TOKEN",
        "GITHUB_PAT",
        "DB_PASS",
        "PGPASSWORD",
        "MYSQL_PWD",
        "OPENAI_APIKEY",
        "my_secret",
        "SENTRY_DSN",
        "SLACK_WEBHOOK",
        "AZURE_STORAGE_CONNECTION_STRING",
        "JWT",
        "BEARER",
        "SSH_PRIVATE",
    ],
)
def test_what_its_name_calls_a_secret_is_hidden(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    assert hidden(f"a {SECRET}, b {SECRET}") == "a ***, b ***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "perhaps"),
        ("PWD", "/somewhere/else"),
        ("KEYBOARD_LAYOUT", "dvorak"),
        ("SOME_TOKEN", "false"),
        ("SOME_KEY", "abc"),
        ("SSH_AUTH_SOCK", __file__),
    ],
)
def test_what_is_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert hidden(f"it is {value}") == f"it is {value}"


@pytest.mark.parametrize(
    "form",
    [
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").replace("%2F", "%2f").replace("%3D", "%3d").replace("%2B", "%2b")
        .replace("%C3%A9", "%c3%a9"),
        json.dumps(SECRET)[1:-1],
        ascii(SECRET)[1:-1],
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
    ],
)  # fmt: skip
def test_a_secret_is_hidden_in_other_forms(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    assert hidden(f"<{form}>") == "<***>"


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "Bearer "])
@pytest.mark.parametrize("behind", ["", "\n", " and more"])
@pytest.mark.parametrize("code", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_a_secret_is_hidden_in_base64_of_something_longer(
    monkeypatch: pytest.MonkeyPatch, before: str, behind: str, code: object
) -> None:
    secret = SECRET * 6  # encodebytes breaks it into lines
    monkeypatch.setenv("SOME_TOKEN", secret)
    coded = code(f"{before}{secret}{behind}".encode()).decode()  # type: ignore[operator]
    left = hidden(f"Authorization: {coded}")
    assert "***" in left
    rest = left.removeprefix("Authorization: ").replace("***", "")
    assert len(rest.strip()) <= len(base64.b64encode(f"{before}{behind}".encode())) + 4


def test_each_line_of_a_key_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["-----BEGIN KEY-----", "MIIEowIBAAKC", "qDfjP0x3vUqz", "-----END KEY-----"]
    monkeypatch.setenv("SSH_PRIVATE_KEY", "\n".join(lines))
    assert hidden("read qDfjP0x3vUqz") == "read ***"
    assert hidden(json.dumps("\n".join(lines))) == '"***"'


def test_the_password_of_an_address_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PROXY", "http://ann:hunter22@proxy:8080/")
    assert hidden("via http://ann:hunter22@proxy:8080/") == "via http://ann:***@proxy:8080/"


def test_the_longer_of_two_secrets_is_hidden_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "abcdef")
    monkeypatch.setenv("B_TOKEN", "abcdef-ghij")
    assert hidden("abcdef-ghij abcdef") == "*** ***"


def test_a_long_text_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Base64 of an image, without a break: each letter is looked at once."""
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    assert hidden("A" * 1_000_000 + SECRET) == "A" * 1_000_000 + "***"
