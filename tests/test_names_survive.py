"""Korean, emoji, spaces and commas in paths, names and labels: byte for byte, from end to end."""

from __future__ import annotations

from pathlib import Path

from toys import paint, toy_tree, write_csv

from comp.config import make_config
from comp.data.tables import read_table
from comp.predictions import Predictions
from comp.stages.check import check
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.train import train

IDS = [f"사진 {n:02d}, 앞 🍎" for n in range(12)]
TESTS = [f"시험 {n}, 🚗" for n in range(4)]
LABELS = ("배, 노랑", "사과 🍎")


def test_names_go_through_plan_predictions_and_submission(workspace: Path) -> None:
    root = Path("입력 데이터/과일 🍎")
    rows = [[name, LABELS[n % 2]] for n, name in enumerate(IDS)]
    write_csv(root / "학습 표.csv", [["아이디", "과일 이름"], *rows])
    write_csv(root / "제출.csv", [["아이디", "과일 이름"], *[[name, LABELS[0]] for name in TESTS]])
    for number, name in enumerate([*IDS, *TESTS]):
        part = "학습 사진" if name in IDS else "시험 사진"
        paint(root / part / f"{name}.png", 40 + 80 * (number % 2), seed=number)
    tree = toy_tree("binary", name="과일 실험 1", train__epochs=1)
    tree["data"] = {
        "root": str(root),
        "train_csv": "학습 표.csv",
        "id": "아이디",
        "target": "과일 이름",
        "train_images": "학습 사진",
        "test_images": "시험 사진",
        "sample_submission": "제출.csv",
    }
    experiment = open_experiment(make_config(tree))
    check(experiment, accept_groups=True, skip=True, allow_unasked=False)
    make_folds(experiment, replace=False)
    train(experiment, "all")
    ensemble(experiment)
    assert read_table(Path("folds/과일 실험 1.csv")).values["id"] == sorted(IDS)
    folds = [Predictions.load(Path(f"runs/과일 실험 1/fold_{k}/valid")) for k in (0, 1)]
    assert sorted([*folds[0].ids, *folds[1].ids]) == sorted(IDS)
    answers = read_table(Path("submissions/과일 실험 1.csv"))
    assert answers.columns == ("아이디", "과일 이름")
    assert answers.values["아이디"] == TESTS
    assert {*answers.values["과일 이름"]} <= {*LABELS}
    assert Path("checks/과일 실험 1.html").is_file()
