"""`comp check` as a stage: what it finds and writes, and what later stages do with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import paint, save, scene, write_csv

from comp.config.loading import make_config
from comp.core.errors import DataError, PlanError
from comp.stages.check import Checked, check
from comp.stages.ensemble import ensemble
from comp.stages.experiment import (
    Experiment,
    open_experiment,
    read_plan,
    read_test_images,
    read_train,
)
from comp.stages.folds import make_folds
from comp.stages.train import train

Toy = Callable[..., dict[str, Any]]


def run(tree: dict[str, Any], **over: bool) -> Checked:
    options = {"accept_groups": False, "skip": False, "allow_extra_images": False, **over}
    return check(open_experiment(make_config(tree)), **options)


def texts(checked: Checked, level: str) -> list[str]:
    return [finding.text for finding in checked.findings if finding.level == level]


def experiment(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


@pytest.fixture
def scenes(workspace: Path) -> dict[str, Any]:
    """Twelve training scenes in two classes, of which 0, 2, 4 and 1, 3 are one; four for the test,
    of which t3 is scene 6."""
    kept = {0: 0, 2: 0, 4: 0, 1: 1, 3: 1}
    for number in range(12):
        pixels = scene(kept.get(number, number), 96)
        save(Path(f"input/train/{number:02d}.png"), np.roll(pixels, number, axis=1)[:, 12:])
    rows = [[f"{number:02d}", number % 2] for number in range(12)]
    write_csv(Path("input/train.csv"), [["id", "label"], *rows])
    for number, seed in enumerate((20, 21, 22, 6)):
        save(Path(f"input/test/t{number}.png"), np.roll(scene(seed, 96), 6, axis=1)[:, 12:])
    write_csv(
        Path("input/sample_submission.csv"),
        [["id", "label"], *[[f"t{number}", 0] for number in range(4)]],
    )
    return {
        "name": "scenes",
        "task": "binary",
        "metric": "macro_f1",
        "data": {"root": "input", "target": "label"},
        "folds": {"count": 2},
        "image": {"size": 24},
        "model": {"name": "test_resnet", "pretrained": False},
        "train": {"epochs": 1, "batch_size": 8, "workers": 0},
    }


def test_sound_data_have_no_errors(toy: Toy) -> None:
    checked = run(toy("multiclass"))
    assert not checked.bad
    assert texts(checked, "error") == texts(checked, "warning") == []
    assert checked.about["classes"] == {"0": 8, "1": 8, "2": 8}
    assert checked.about["train"]["images"] == 24
    assert checked.about["train"]["modes"] == {"RGB": 24}


def test_copies_are_proposed_and_never_obeyed_by_themselves(scenes: dict[str, Any]) -> None:
    checked = run(scenes)
    assert [group.ids for group in checked.copies.proposals] == [("00", "02", "04"), ("01", "03")]
    record = json.loads(Path("checks/scenes.json").read_text(encoding="utf-8"))
    assert [group["ids"] for group in record["proposals"]] == [["00", "02", "04"], ["01", "03"]]
    text = " ".join(texts(checked, "warning"))
    assert "5 training images are copies or near-copies of one another, in 2 groups" in text
    assert "1 training images show the same as test images: '06 = t3'" in text
    assert read_train(experiment(scenes)).groups is None


@pytest.mark.parametrize("how", ["--accept-groups", "data.group: auto"])
def test_accepted_groups_make_grouped_folds(scenes: dict[str, Any], how: str) -> None:
    run(scenes, accept_groups=how == "--accept-groups")
    assert Path("folds/scenes.groups.csv").is_file() == (how == "--accept-groups")
    if how == "data.group: auto":
        scenes["data"]["group"] = "auto"
    plan, _, _ = make_folds(experiment(scenes), replace=False)
    assert plan.scheme == "stratified_group"
    fold = dict(zip(plan.ids, plan.fold.tolist(), strict=True))
    assert fold["00"] == fold["02"] == fold["04"]
    assert fold["01"] == fold["03"]
    assert len(set(plan.groups or ())) == 9
    again = run(scenes)
    warned = [text for text in texts(again, "warning") if "no group column" in text]
    assert bool(warned) == (how == "data.group: auto")


def test_group_auto_without_a_check_names_the_command(scenes: dict[str, Any]) -> None:
    scenes["data"]["group"] = "auto"
    with pytest.raises(DataError, match="run `comp check`"):
        read_train(experiment(scenes))


def test_accepted_groups_of_other_ids_are_refused(scenes: dict[str, Any]) -> None:
    run(scenes, accept_groups=True)
    write_csv(Path("input/train.csv"), [["id", "label"], *[[f"{n:02d}", n % 2] for n in range(11)]])
    with pytest.raises(DataError, match="1 ids are not training ids: '11'"):
        read_train(experiment(scenes))


def test_exact_copies_with_other_labels_are_an_error(toy: Toy) -> None:
    tree = toy("binary")
    one = Path("input/train/00000.png").read_bytes()
    Path("input/train/00001.png").write_bytes(one)
    assert texts(run(tree), "error") == [
        "1 exact copies with different labels: '00000 (0) = 00001 (1)'"
    ]


def damage() -> None:
    whole = Path("input/train/00005.png").read_bytes()
    Path("input/train/00003.png").write_bytes(b"")
    Path("input/train/00004.png").write_bytes(b"<!doctype html><p>404")
    Path("input/train/00005.png").write_bytes(whole[: len(whole) // 2])
    Path("input/test/t001.png").write_bytes(b"")


def test_all_unreadable_images_are_errors_with_their_ids(toy: Toy) -> None:
    tree = toy("binary")
    damage()
    checked = run(tree)
    assert checked.bad
    errors = [finding for finding in checked.findings if finding.level == "error"]
    assert [finding.ids for finding in errors] == [("00003",), ("00004",), ("00005",), ("t001",)]
    assert texts(checked, "error")[0] == "training image '00003': an empty file"
    assert "test image 't001': an empty file" in texts(checked, "error")
    assert not Path("folds/toy_binary.skip.csv").exists()


def test_skipped_training_images_are_left_out_and_test_images_are_grey(
    toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = toy("binary")
    damage()
    assert not run(tree, skip=True).bad
    index = read_train(experiment(tree))
    assert len(index) == 21
    assert {"00003", "00004", "00005"}.isdisjoint(index.ids)
    test = read_test_images(experiment(tree), index.classes)
    assert len(test) == 6
    assert "1 test images cannot be read and are answered as grey ones" in capsys.readouterr().err
    make_folds(experiment(tree), replace=False)
    train(experiment(tree), "all")
    ensemble(experiment(tree))
    answers = Path("submissions/toy_binary.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in answers] == ["id", *[f"t{n:03d}" for n in range(6)]]


def test_skipping_and_accepting_go_together(scenes: dict[str, Any]) -> None:
    Path("input/train/11.png").write_bytes(b"")
    run(scenes, skip=True, accept_groups=True)
    plan, _, _ = make_folds(experiment(scenes), replace=False)
    assert len(plan.ids) == 11
    assert plan.scheme == "stratified_group"


def test_mended_files_are_trained_on_again(toy: Toy) -> None:
    tree = toy("binary")
    whole = Path("input/train/00003.png").read_bytes()
    Path("input/train/00003.png").write_bytes(b"")
    run(tree, skip=True)
    Path("input/train/00003.png").write_bytes(whole)
    run(tree, skip=True)
    assert not Path("folds/toy_binary.skip.csv").exists()
    assert len(read_train(experiment(tree))) == 24


def test_a_sample_that_asks_for_fewer_images_shows_both_counts(toy: Toy) -> None:
    tree = toy("binary")
    paint(Path("input/test/new.png"), 90, seed=1)
    (text,) = texts(run(tree), "error")
    assert "lists 6 images, input/test holds 7: is it an old one? Not listed: 'new.png'" in text
    assert not run(tree, allow_extra_images=True).bad


def test_complaints_about_both_tables_come_at_once(toy: Toy) -> None:
    tree = toy("binary")
    with Path("input/train.csv").open("a", encoding="utf-8") as handle:
        handle.write("00001,0\n")
    Path("input/test/t003.png").unlink()
    errors = texts(run(tree), "error")
    assert len(errors) == 2
    assert "the id '00001' stands on lines 3 (1) and 26 (0)" in errors[0]
    assert "1 of 6 ids have no image in input/test: 't003'" in errors[1]


def test_a_class_with_its_own_size_is_a_warning(toy: Toy) -> None:
    tree = toy("binary")
    for number in range(1, 24, 2):
        paint(Path(f"input/train/{number:05d}.png"), 120, seed=number, size=30)
    assert "class '1' can be recognised by its size alone (mostly 30 x 30; 100% right)" in " ".join(
        texts(run(tree), "warning")
    )


def test_the_page_needs_nothing_else_and_escapes_names(scenes: dict[str, Any]) -> None:
    Path("input/train/00.png").rename("input/train/<b>&한글 🍎.png")
    text = Path("input/train.csv").read_text().replace("00,", "<b>&한글 🍎,")
    Path("input/train.csv").write_text(text, encoding="utf-8")
    run(scenes)
    page = Path("checks/scenes.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;한글 🍎" in page
    assert "<b>" not in page
    assert page.count('<img src="data:image/jpeg;base64,') > 5
    assert "http" not in page


def test_how_a_table_is_written_is_a_note(toy: Toy) -> None:
    tree = toy("binary")
    table, sample = Path("input/train.csv"), Path("input/sample_submission.csv")
    text = table.read_text().replace("label", "과일").replace("\n", "\r\n").replace(",", ";")
    table.write_bytes(text.encode("cp949"))
    sample.write_bytes(b"\xef\xbb\xbf" + sample.read_bytes())
    tree["data"]["target"] = "과일"
    assert texts(run(tree), "note") == [
        "input/train.csv: encoding cp949, newlines CRLF, delimiter ';'",
        "input/sample_submission.csv: a byte order mark",
    ]


def name_a_test_image_like_a_training_image() -> None:
    Path("input/test/t003.png").rename("input/test/00003.png")
    sample = Path("input/sample_submission.csv")
    sample.write_text(sample.read_text().replace("t003", "00003"))


def test_one_id_of_two_files_is_a_warning(toy: Toy) -> None:
    tree = toy("binary")
    name_a_test_image_like_a_training_image()
    checked = run(tree)
    assert not checked.bad
    assert texts(checked, "warning") == [
        "1 ids are in both the training and the test set, but of different files; that is fine "
        "where each folder has own names: 'input/train/00003.png = input/test/00003.png'"
    ]
    assert make_folds(experiment(tree))[0].leak == ()


def test_one_id_of_the_same_bytes_is_refused_and_a_leak_is_noted(toy: Toy) -> None:
    tree = toy("binary")
    name_a_test_image_like_a_training_image()
    shutil.copy("input/train/00003.png", "input/test/00003.png")
    assert texts(run(tree), "error") == [
        "1 ids are in both the training and the test set, with the same bytes: remove them from "
        "the training table: 'input/train/00003.png = input/test/00003.png'"
    ]
    text = (
        "the training id '00003' (input/train.csv, line 5: input/train/00003.png) is the test id "
        "'00003' (input/sample_submission.csv, line 5: input/test/00003.png)"
    )
    with pytest.raises(PlanError, match=r"trains on test images.*--allow-leak") as caught:
        make_folds(experiment(tree))
    assert text in str(caught.value)
    assert make_folds(experiment(tree), allow_leak=True)[0].leak == (text,)
    assert read_plan(experiment(tree), read_train(experiment(tree))).leak == (text,)


def test_a_plan_made_before_a_test_image_was_found_in_it_is_refused(toy: Toy) -> None:
    tree = toy("binary")
    name_a_test_image_like_a_training_image()
    make_folds(experiment(tree))
    shutil.copy("input/train/00003.png", "input/test/00003.png")
    with pytest.raises(PlanError, match="trains on test images"):
        train(experiment(tree), "0")


def test_unreadable_files_of_one_id_are_not_the_same_image(toy: Toy) -> None:
    tree = toy("binary")
    name_a_test_image_like_a_training_image()
    for part in ("train", "test"):
        Path(f"input/{part}/00003.png").write_bytes(b"")
    assert [f for f in texts(run(tree), "error") if "same bytes" in f] == []
    assert make_folds(experiment(tree))[0].leak == ()


def test_names_of_files_that_are_not_the_ids_and_files_of_no_row_are_notes(toy: Toy) -> None:
    tree = toy("binary")
    Path("input/train/00003.png").rename("input/train/extra.png")
    table = Path("input/train.csv")
    text = table.read_text().replace("00003,1\n", "").replace("00004,", "Ab.jpg,")
    table.write_text(text)
    Path("input/train/00004.png").rename("input/train/aB.png")
    assert texts(run(tree), "note") == [
        "1 images in input/train have no row in train.csv: 'extra.png'",
        "1 training images have another name on the disk than their id: 'Ab.jpg'",
    ]


def test_findings_about_labels_are_part_of_a_check(workspace: Path, toy: Toy) -> None:
    tree = toy("multilabel")
    rows = [[f"{n:05d}", 0, int(n % 3 == 0)] for n in range(24)]
    write_csv(Path("input/train.csv"), [["id", "bright", "odd"], *rows])
    checked = run(tree)
    assert "no image has the label 'bright'" in texts(checked, "warning")
    assert checked.about["together"] == [[0, 0], [0, 8]]
    assert any("16 training images have no label" in text for text in texts(checked, "note"))


def test_nothing_is_written_outside_the_workspace(toy: Toy, workspace: Path) -> None:
    tree = toy("binary")
    before = {p: p.stat().st_mtime_ns for p in (workspace / "input").rglob("*")}
    run(tree, skip=True, accept_groups=True)
    assert {p: p.stat().st_mtime_ns for p in (workspace / "input").rglob("*")} == before
    made = {p.name for p in workspace.iterdir()}
    assert made == {"input", "cache", "checks", "folds"}


def test_masks_are_counted_and_shown(toy: Toy) -> None:
    checked = run(toy("segmentation"))
    assert not checked.bad
    masks = checked.about["masks"]
    assert {name: seen["images"] for name, seen in masks["classes"].items()} == {"1": 12, "2": 12}
    assert masks["images without anything"] == 6
    assert any("6 training images have an empty mask" in text for text in texts(checked, "note"))
    page = Path("checks/toy_segmentation.html").read_text(encoding="utf-8")
    assert "<h2>Masks</h2>" in page
    assert page.split("<h2>Masks</h2>")[1].count('<img src="data:image/jpeg;base64,') >= 10


def test_a_mask_that_no_longer_fits_its_image_is_an_error(toy: Toy) -> None:
    tree = toy("segmentation")
    tree["data"] |= {"layout": "coco", "sample_submission": None}
    images = [
        {"id": n, "file_name": f"{n:05d}.png", "height": 40 + (n == 5), "width": 48 - (n == 3)}
        for n in range(24)
    ]
    names = [{"id": 1, "name": "disc"}]
    marks = [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[2, 2, 9, 2, 9, 9]]}]
    text = json.dumps({"images": images, "categories": names, "annotations": marks})
    Path("input/train_annotations.coco.json").write_text(text)
    checked = run(tree)
    assert checked.bad
    assert texts(checked, "error") == [
        "mask of '00003.png': input/train/00003.png: the mask is 47 x 40 pixels, the image 48 x 40",
        "mask of '00005.png': input/train/00005.png: the mask is 48 x 41 pixels, the image 48 x 40",
    ]


def test_the_form_of_the_sample_is_looked_at(toy: Toy) -> None:
    tree = toy("multiclass")
    ids = [f"t{number:03d}" for number in range(6)]
    write_csv(Path("input/sample_submission.csv"), [["id", "x", "y"], *[[n, 0, 0] for n in ids]])
    found = [text for text in texts(run(tree), "error") if "do not fit multiclass" in text]
    assert len(found) == 1
    write_csv(Path("input/sample_submission.csv"), [["id", "label"], *[[n, "Reed"] for n in ids]])
    (doubt,) = [t for t in texts(run(tree), "warning") if "which no answer will be" in t]
    assert "holds 'Reed'" in doubt
