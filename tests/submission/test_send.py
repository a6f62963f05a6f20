"""The ways out: what is shown, what is run, and that no token leaves the environment."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from comp.core.errors import CompError, ConfigError
from comp.submission.send import SITES, printed, run

FILE = Path("submissions/a b.csv")


def fake_kaggle(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> None:
    """A program that prints its words and its token, as a careless one would."""
    folder.mkdir()
    program = folder / "kaggle"
    program.write_text(f'#!/bin/sh\necho "$@ $KAGGLE_API_TOKEN"\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_kaggles_command_is_shown_as_one_would_type_it() -> None:
    words = SITES["kaggle"].command(FILE, "digits", "", "my run")
    assert printed(words) == (
        "kaggle competitions submit -c digits -f 'submissions/a b.csv' -m 'my run'"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the fake program is a shell script")
def test_the_command_is_run_and_the_token_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_kaggle(tmp_path / "bin", monkeypatch)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret-token")
    words = SITES["kaggle"].command(FILE, "digits", "", "m")
    assert run(SITES["kaggle"], words) == f"competitions submit -c digits -f {FILE} -m m ***"


@pytest.mark.skipif(sys.platform == "win32", reason="the fake program is a shell script")
def test_a_refusal_is_an_error_without_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_kaggle(tmp_path / "bin", monkeypatch, code=1)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret-token")
    with pytest.raises(CompError, match=r"not sent; kaggle said: .*\*\*\*") as problem:
        run(SITES["kaggle"], SITES["kaggle"].command(FILE, "digits", "", "m"))
    assert "secret" not in str(problem.value)


@pytest.mark.skipif(sys.platform == "win32", reason="the fake program is a shell script")
def test_no_secret_of_the_environment_is_in_what_the_program_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_kaggle(tmp_path / "bin", monkeypatch)
    program = tmp_path / "bin/kaggle"
    program.write_text('#!/bin/sh\nenv\nprintf %s "user:$WANDB_API_KEY" | base64 >&2\nexit 1\n')
    secrets = {
        "KAGGLE_API_TOKEN": "secret-token",
        "DACON_TOKEN": "other-secret",
        "WANDB_API_KEY": "0123456789abcdef",
        "AWS_SECRET_ACCESS_KEY": "wJalr/XUtnFEMI+K7MDENG",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CompError, match="not sent") as problem:
        run(SITES["kaggle"], SITES["kaggle"].command(FILE, "digits", "", "m"))
    text = str(problem.value)
    assert all(f"{name}=***" in text for name in secrets)
    assert not any(value in text for value in secrets.values())
    assert base64.b64encode(b"user:0123456789abcdef").decode()[8:] not in text


def test_a_module_of_the_workspace_is_not_run_with_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("DACON_TOKEN", "secret-token")
    (tmp_path / "dacon_submit_api.py").write_text("open('canary', 'w')\n")
    words = SITES["dacon"].command(FILE, "236", "team", "memo")
    subprocess.run(words, check=False, capture_output=True)
    assert not (tmp_path / "canary").exists()


def test_a_missing_program_or_token_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="sending needs the command `kaggle`"):
        run(SITES["kaggle"], ["kaggle"])
    fake_kaggle(tmp_path / "bin", monkeypatch)
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="set KAGGLE_API_TOKEN or KAGGLE_USERNAME and KAGGLE_KEY"):
        run(SITES["kaggle"], ["kaggle"])


def test_dacon_is_called_with_the_token_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "dacon_submit_api"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "dacon_submit_api.py").write_text(
        "def post_submission_file(*words):\n"
        "    return {'isSubmitted': words[2] == '236', 'words': words}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DACON_TOKEN", "secret-token")
    site = SITES["dacon"]
    words = site.command(FILE, "236", "team", "memo")
    assert "secret" not in printed(words)
    assert run(site, words) == (
        f"{{'isSubmitted': True, 'words': ('{FILE}', '***', '236', 'team', 'memo')}}"
    )
    with pytest.raises(CompError, match="not sent"):
        run(site, site.command(FILE, "999", "team", "memo"))
