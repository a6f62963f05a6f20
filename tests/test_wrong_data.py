"""Data that cannot be right end the command with 3 and a reason, before anything is trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from toys import write_csv

Toy = Callable[..., dict[str, Any]]
Run = Callable[..., tuple[int, str, str]]
TABLE, SAMPLE = Path("input/train.csv"), Path("input/sample_submission.csv")


def add_row(text: str) -> None:
    with TABLE.open("a", encoding="utf-8") as handle:
        handle.write(text)


def one_folder() -> None:
    for path in Path("input/test").iterdir():
        path.rename(Path("input/train") / path.name)
    SAMPLE.write_text(SAMPLE.read_text().replace("t003", "00003"))


def table(rows: list[list[Any]]) -> None:
    write_csv(TABLE, [["id", "label"], *rows])


def lead_out(name: str) -> Callable[[], None]:
    def spoil() -> None:
        shutil.copy("input/train/00001.png", "secret.png")
        Path("input/train/link.png").symlink_to(Path("secret.png").resolve())
        table([[name, 1], *[[f"{n:05d}", n % 2] for n in range(24)]])

    return spoil


WRONG: dict[str, tuple[Callable[[], None], dict[str, Any], str]] = {
    "a file that is missing": (
        Path("input/train/00002.png").unlink,
        {},
        "1 of 24 ids have no image in input/train: '00002'",
    ),
    "an id twice": (lambda: add_row("00003,1\n"), {}, "'00003' stands on lines 5 (1) and 26 (1)"),
    "an id with two labels": (
        lambda: add_row("00003,0\n"),
        {},
        "'00003' stands on lines 5 (1) and 26 (0)",
    ),
    "one image in both parts": (
        one_folder,
        {"test_images": "train"},
        "the training id '00003' (input/train.csv, line 5: input/train/00003.png) is the test id "
        "'00003' (input/sample_submission.csv, line 5: input/train/00003.png)",
    ),
    "one class": (lambda: table([[f"{n:05d}", 1] for n in range(9)]), {}, "only one class ('1')"),
    "one image": (lambda: table([["00000", 1]]), {}, "only one class ('1')"),
    "a class without an image": (
        lambda: table([["00000", 0]]),
        {"classes": ["0", "1"]},
        "data.classes names what no row has: '1'",
    ),
    "an id above the folder": (lead_out("../secret"), {}, "leads out of the folder of images"),
    "an absolute id": (lead_out("/etc/passwd"), {}, "leads out of the folder of images"),
    "a link out of the folder": (lead_out("link"), {}, "links that lead out of the data are not"),
    "an id of 5,000 letters": (lead_out("x" * 5000), {}, "has 5000 characters"),
}


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("what", WRONG)
def test_wrong_data_are_refused_with_the_reason(toy: Toy, comp: Run, what: str, task: str) -> None:
    tree = toy("binary")
    spoil, keys, message = WRONG[what]
    Path("toy.yaml").write_text(yaml.safe_dump(tree))
    assert comp("folds", "make", "-c", "toy.yaml")[0] == 0  # without a plan, `train` asks for one
    spoil()
    tree["data"] |= keys
    tree["task"] = task
    Path("toy.yaml").write_text(yaml.safe_dump(tree))
    for words in (["folds", "make"], ["train"]):
        code, _, err = comp(*words, "-c", "toy.yaml")
        assert (code, message in err, "Traceback" in err) == (3, True, False), err
    code, out, _ = comp("check", "-c", "toy.yaml", "--json")
    errors = [f["text"] for f in json.loads(out)["findings"] if f["level"] == "error"]
    assert (code, any(message in text for text in errors)) == (3, True)
    assert not Path("runs").exists()


def test_more_folds_than_images_are_refused(toy: Toy, comp: Run) -> None:
    tree = toy("multiclass", folds__count=5)
    table([["00000", 0], ["00001", 1], ["00002", 2]])
    Path("toy.yaml").write_text(yaml.safe_dump(tree))
    code, _, err = comp("folds", "make", "-c", "toy.yaml")
    assert (code, "5 folds for 3 images; at most 3" in err) == (3, True)


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy", "log_loss", "roc_auc"])
def test_a_class_that_a_fold_lacks_is_told_and_trained_with(
    toy: Toy, comp: Run, metric: str
) -> None:
    tree = toy("multiclass", metric=metric, train__epochs=1)
    table([[f"{n:05d}", 2 if n == 0 else n % 2] for n in range(24)])
    Path("toy.yaml").write_text(yaml.safe_dump(tree))
    code, _, err = comp("folds", "make", "-c", "toy.yaml")
    assert code == 0
    assert "class '2' lives in 1 images: 2 folds cannot all contain it" in err
    as_labels = ["-c", "toy.yaml", "--set", "submission.write=label"]
    assert comp("train", *as_labels, "--fold", "all")[0] == 0
    assert comp("ensemble", *as_labels)[0] == 0
    assert json.loads(Path("submissions/toy_multiclass.json").read_text())["metric"] == metric
