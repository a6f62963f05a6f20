"""The script that a judge's machine runs is Python, whatever names are in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ship_toys import toy_order

from comp.bundles.targets.script import dockerfile, run_script

Shipped = Callable[[str], Path]


def test_names_are_data(shipped: Shipped) -> None:
    nasty = "te\"st'\n{{ x }}\\"
    order = toy_order(shipped("binary") / "bundles/toy_binary", images=nasty, samples=(nasty,))
    text = run_script(order, bundle=["b"], data=["d"], out="o.csv")
    found: dict[str, object] = {}
    exec(compile(text.replace("\nmain()\n", "\n"), "script", "exec"), found)
    assert (found["IMAGES"], found["SAMPLES"], found["MINUTES"]) == (nasty, [nasty], 1.0)


def test_it_gives_the_command_what_is_there(shipped: Shipped, tmp_path: Path) -> None:
    order = toy_order(
        shipped("binary") / "bundles/toy_binary", samples=("none.csv", "some.csv"), minutes=None
    )
    text = run_script(order, bundle=["no", "b"], data=["d"], out="out/o.csv")
    (tmp_path / "run.py").write_text(text, encoding="utf-8")
    for name in ("b", "d/test", "site/comp"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "d/some.csv").touch()
    code = "import json, os, sys\nprint(json.dumps([sys.argv[1:], os.environ['HF_HUB_OFFLINE']]))"
    (tmp_path / "site/comp/__main__.py").write_text(code, encoding="utf-8")
    words = [sys.executable, "run.py"]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    place = tmp_path.resolve()
    asked = ["answer", f"{place}/b", "--images", f"{place}/d/test", "--out", "out/o.csv"]
    assert json.loads(done.stdout) == [[*asked, "--sample", f"{place}/d/some.csv"], "1"]
    (tmp_path / "b").rmdir()
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "the bundle: none of no, b is there\n")


def test_a_dockerfile_is_for_the_python_of_the_order(shipped: Shipped) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary", python="3.12")
    assert "python:3.12-slim" in dockerfile(order, "/opt/app", bundle=False)
