"""The page as it is served: to this machine, below a token, in a real browser."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from comp.config.loading import make_config
from comp.core import locks
from comp.core.errors import UsageError
from comp.stages.watching.reading import RunReader
from comp.stages.watching.server import WatchServer, serve
from comp.train.live.beat import Beat, write_beat

FOLD = Path("runs/toy_binary/fold_0")


@pytest.fixture
def server(finished: Callable[..., dict[str, Any]]) -> Iterator[WatchServer]:
    """A finished run with a picture, watched from another thread."""
    config = make_config(finished())
    (FOLD / "pictures").mkdir()
    cv2.imwrite(str(FOLD / "pictures/epoch_002.png"), np.full((40, 60, 3), 90, np.uint8))
    served = WatchServer([RunReader(Path.cwd(), "toy_binary", config)], 0, 0.2)
    thread = threading.Thread(target=serve, args=(served,))
    thread.start()
    yield served
    served.shutdown()
    thread.join()


def asked(
    server: WatchServer, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, bytes, Any]:
    """Status, body and headers of what the server answers."""
    here = urlsplit(server.address)
    connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=10)
    headers = {} if host is None else {"Host": host}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.headers
    connection.close()
    return found


def test_the_page_is_below_a_token_of_this_machine_only(server: WatchServer) -> None:
    here = urlsplit(server.address)
    assert (here.hostname, server.server_address[0]) == ("127.0.0.1", "127.0.0.1")
    assert len(server.token) >= 24
    status, body, headers = asked(server, here.path)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"toy_binary" in body
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Python" not in str(headers)
    for path in ("/", "/state", f"/{server.token[:-1]}/", f"/{'x' * 24}/state", "/%C3%BC/"):
        status, body, _ = asked(server, path)
        assert (status, body) == (404, b"not here\n")


def test_a_server_has_a_token_of_its_own(server: WatchServer) -> None:
    other = WatchServer(server.readers, 0, 1.0)
    assert other.token != server.token
    other.server_close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:1", ""]
)
def test_another_name_for_this_machine_is_refused(server: WatchServer, host: str) -> None:
    assert asked(server, urlsplit(server.address).path, host=host)[0] == 404


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:1", "[::1]:9"])
def test_the_end_of_a_tunnel_is_served(server: WatchServer, host: str) -> None:
    assert asked(server, urlsplit(server.address).path, host=host)[0] == 200


def test_only_pictures_that_are_shown_are_given(server: WatchServer) -> None:
    base = f"/{server.token}/picture"
    status, body, headers = asked(server, f"{base}/0/0/epoch_002.png?17")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert body == (FOLD / "pictures/epoch_002.png").read_bytes()
    for path in ("0/0/epoch_001.png", "0/0/../done.json", "0/0/..%2f..%2fdone.json", "1/0/x.png",
                 "0/1/epoch_002.png", "0/0", "0/-1/epoch_002.png", "%C2%B2/0/epoch_002.png",
                 "0/0/%2fetc%2fpasswd"):  # fmt: skip
        assert asked(server, f"{base}/{path}")[0] == 404, path


def test_nothing_can_be_sent_to_it(server: WatchServer) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert asked(server, urlsplit(server.address).path, method)[0] == 501
    status, body, headers = asked(server, urlsplit(server.address).path, "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 1000


def test_a_port_that_is_taken_is_an_error_of_the_user(server: WatchServer) -> None:
    port = server.server_address[1]
    with pytest.raises(UsageError, match=f"--port {port}: .*another program listens there"):
        WatchServer(server.readers, port, 1.0)


def test_all_who_ask_share_one_look(server: WatchServer, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    real = RunReader.read
    monkeypatch.setattr(RunReader, "read", lambda self: looks.append(1) or real(self))
    server.seconds, server._looked = 1000.0, -1e9
    for _ in range(5):
        status, body, _ = asked(server, f"/{server.token}/state")
        assert status == 200
        assert json.loads(body)["title"] == "100% toy_binary"
    assert looks == [1]


@pytest.mark.parametrize("width", [360, 820, 1280])
def test_a_browser_follows_a_training_at_three_widths(
    server: WatchServer, opened: Callable[..., Any], width: int
) -> None:
    page = opened(server.address, width)
    expect(page).to_have_title("100% toy_binary")
    expect(page.locator("#contact")).to_contain_text("As of ")
    assert page.locator("#run-0-pictures img").evaluate("i => i.naturalWidth") == 60
    room = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(room) == 0
    Path("runs/toy_binary/fold_0/done.json").unlink()
    write_beat(FOLD / "progress.json", Beat("fold 0", "training", 3, 9, 1, 4, left=50.0))
    with locks.writing(FOLD):
        expect(page).to_have_title("62% toy_binary")
        text = page.locator("#run-0-folds").inner_text()
        assert "2 of 9, step 1 of 4" in text
        assert "50 s" in text


def test_it_can_be_paused_and_says_when_contact_is_lost(
    server: WatchServer, opened: Callable[..., Any]
) -> None:
    page = opened(server.address, 1280, silent=False)
    expect(page.locator("#contact")).to_contain_text("As of ")
    page.get_by_role("button", name="Pause").click()
    (FOLD / "done.json").rename("kept.json")
    page.wait_for_timeout(700)
    assert "2 of 2 done" in page.locator("#run-0-about").inner_text()
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#run-0-about")).to_contain_text("1 of 2 done")
    server.token = "another"
    expect(page.locator("#contact")).to_contain_text("No contact")


def test_the_page_passes_the_checks_of_axe(
    server: WatchServer, audited: Callable[[str], list[str]]
) -> None:
    assert audited(server.address) == []
