"""Korean, emoji, spaces and commas in paths, names and labels: byte for byte, from end to end."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from toys import paint, toy_tree, write_csv

from comp.config.loading import make_config
from comp.data.folds.plan_file import load_plan
from comp.inference.predictions import Predictions
from comp.stages.check import check
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds, show_folds
from comp.stages.train import train

pytestmark = pytest.mark.slow

NAME = "과일 실험 🍎 1"
IDS = [f"사진 {n:02d}, 앞 🍎" for n in range(11)] + [unicodedata.normalize("NFD", '끝 é, "셋"')]
TESTS = [*(f"시험 {n}, 🚗" for n in range(3)), unicodedata.normalize("NFD", "시험 é")]
LABELS = ("배, 노랑", '사과 "홍옥", 🍎')


def lay(root: Path) -> dict[str, Any]:
    """Odd names wherever there is one; some ids in another Unicode form than their files."""
    rows = [[name, LABELS[n % 2]] for n, name in enumerate(IDS)]
    write_csv(root / "학습 표.csv", [["아이디", "과일, 이름"], *rows])
    write_csv(root / "제출.csv", [["아이디", "과일, 이름"], *[[name, LABELS[0]] for name in TESTS]])
    for number, name in enumerate([*IDS, *TESTS]):
        part = "학습 사진" if name in IDS else "시험 사진"
        file = unicodedata.normalize("NFC", name)
        paint(root / part / f"{file}.png", 40 + 80 * (number % 2), seed=number)
    tree = toy_tree("binary", name=NAME, train__epochs=1)
    tree["data"] = {
        "root": str(root),
        "train_csv": "학습 표.csv",
        "id": "아이디",
        "target": "과일, 이름",
        "train_images": "학습 사진",
        "test_images": "시험 사진",
        "sample_submission": "제출.csv",
    }
    return tree


def test_names_go_through_plan_predictions_and_submission(workspace: Path) -> None:
    experiment = open_experiment(make_config(lay(Path("입력 데이터/과일 🍎"))))
    check(experiment, accept_groups=True, skip=True, allow_extra_images=False)
    made, _, _ = make_folds(experiment, replace=False)
    show_folds(experiment, Path("균형 🍎.png"))
    train(experiment, "all")
    result = ensemble(experiment)
    paths = experiment.workspace
    assert paths.plan_csv == Path(f"folds/{NAME}.csv")
    with paths.plan_csv.open(encoding="utf-8", newline="") as handle:
        plan = {row["id"]: row["label"] for row in csv.DictReader(handle)}
    assert plan == {name: LABELS[n % 2] for n, name in enumerate(IDS)}
    again = load_plan(paths.plan_csv, paths.plan_json)
    assert (again.ids, again.fold.tolist()) == (made.ids, made.fold.tolist())
    folds = [Predictions.load(Path(f"runs/{NAME}/fold_{k}/valid")) for k in (0, 1)]
    assert sorted([*folds[0].ids, *folds[1].ids]) == sorted(IDS)
    folds[0].save(Path("again"))
    kept = Path(f"runs/{NAME}/fold_0/valid")
    assert (Path("again/ids.txt").read_bytes(), Path("again/probs.npy").read_bytes()) == (
        (kept / "ids.txt").read_bytes(),
        (kept / "probs.npy").read_bytes(),
    )
    assert result.path == Path(f"submissions/{NAME}.csv")
    with result.path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows[0] == ["아이디", "과일, 이름"]
    assert [row[0] for row in rows[1:]] == TESTS
    assert {row[1] for row in rows[1:]} <= {*LABELS}
    write_csv(Path("again.csv"), rows)
    assert result.path.read_bytes() == Path("again.csv").read_bytes()
    assert Path(f"checks/{NAME}.html").is_file()
