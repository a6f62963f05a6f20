"""The process in which a competition's metric file runs: it reads requests, and answers in JSON.

`python -m comp.tasks.official.worker FILE`. A request is a length of 8 bytes and a pickle, from
`comp` itself: first the solution, then one per score. An answer is a line: {"score": x}, or
{"error": text, "visible": bool}.
What the file prints goes to stderr.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import struct
import sys
from pathlib import Path
from typing import Any


def load(path: str) -> Any:
    """The module in a file; its own folder comes first where it imports, as when it is run."""
    sys.path.insert(0, str(Path(path).parent))
    spec = importlib.util.spec_from_file_location("official_metric", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["official_metric"] = module
    spec.loader.exec_module(module)
    return module


def solution_of(about: Any, rows: Any) -> Any:
    """The solution of some rows. A row that is there several times gets other ids."""
    import pandas as pd

    part = about["frame"].iloc[rows].reset_index(drop=True)
    key = about["id"]
    again = part[key].duplicated()
    if again.any():
        number = part.groupby(key).cumcount()
        if pd.api.types.is_integer_dtype(part[key]):
            step = int(about["frame"][key].abs().max()) + 1
            part[key] = part[key] + step * number
        else:
            names = part[key].astype(str)
            part[key] = names.where(number == 0, names + "#" + number.astype(str))
    return part


def score(module: Any, about: Any, request: Any) -> float:
    """What the file says of an answer."""
    import pandas as pd

    solution = solution_of(about, request["rows"])
    submission = pd.DataFrame({about["id"]: solution[about["id"]], **request["answer"]})
    return float(module.score(solution, submission, about["id"], **about["arguments"]))


def read(stream: Any) -> Any:
    """The next request; None where there is no more."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    return pickle.loads(stream.read(struct.unpack("<Q", head)[0]))


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a metric that prints would spoil the answers
    requests = os.fdopen(os.dup(0), "rb")

    def say(**answer: Any) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        module = load(sys.argv[1])
        if not callable(getattr(module, "score", None)):
            raise AttributeError("it has no function `score`")
    except BaseException as problem:
        say(error=f"{type(problem).__name__}: {problem}", visible=False)
        return
    say(ready=True)
    about = read(requests)
    while (request := read(requests)) is not None:
        try:
            say(score=score(module, about, request))
        except Exception as problem:
            name = type(problem).__name__
            visible = name == "ParticipantVisibleError"
            say(error=str(problem) if visible else f"{name}: {problem}", visible=visible)


if __name__ == "__main__":
    main()
