"""Plans in files: written once, read back, refused when edited."""

import json
from pathlib import Path

import pytest
from plan_toys import index_of, plan_of, random_index

from comp.config.schema import DataConfig, FoldsConfig
from comp.core.errors import PlanError
from comp.data.folds.make import make_plan
from comp.data.folds.plan_file import load_plan, save_plan
from comp.data.folds.schemes import SCHEMES
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


def test_the_csv_holds_ids_folds_groups_and_labels(saved, tmp_path):
    _, csv_path, json_path = saved
    lines = csv_path.read_text().splitlines()
    assert lines[0] == "id,fold,group,label"
    assert [line.split(",")[2:] for line in lines[1:3]] == [["p", "a"], ["p", "b"]]
    about = json.loads(json_path.read_text())
    assert (about["scheme"], about["seed"], about["count"]) == ("stratified_group", 42, 2)
    assert about["balance"]["rows"] in ([2, 4], [4, 2])
    several = index_of([[0, 1], [1, 0]], classes=("fold", "x"))
    save_plan(plan_of(several), several, tmp_path / "m.csv", tmp_path / "m.json", replace=False)
    assert (tmp_path / "m.csv").read_text().startswith("id,fold,group,class fold,x\n0000,")
    load_plan(tmp_path / "m.csv", tmp_path / "m.json").check(several)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_plan_comes_back_as_it_was(scheme, tmp_path):
    index = random_index(scheme)
    plan = plan_of(index, 4, scheme)
    paths = tmp_path / "x.csv", tmp_path / "x.json"
    save_plan(plan, index, *paths, replace=False)
    back = load_plan(*paths)
    back.check(index)
    assert back.fingerprint == plan.fingerprint
    fields = ("ids", "count", "scheme", "seed", "classes", "labels", "groups", "warnings")
    assert all(getattr(back, name) == getattr(plan, name) for name in fields)
    assert back.fold.tolist() == plan.fold.tolist()


def test_text_comes_back_as_it_was(tmp_path):
    ids = ['"', "00001", "NA", "a b", "가,나"]
    index = index_of([0, 1, 0, 1, 1], ["1", "01", "NA", "가", "x,y"], ("none, 없음", "😀"), ids)
    paths = tmp_path / "이름.csv", tmp_path / "이름.json"
    save_plan(plan_of(index), index, *paths, replace=False)
    load_plan(*paths).check(index)


def test_the_same_plan_is_not_written_again(saved):
    index, csv_path, json_path = saved
    before = csv_path.read_bytes(), json_path.read_bytes(), json_path.stat().st_mtime_ns
    assert not save_plan(plan_of(index), index, csv_path, json_path, replace=False)
    assert not save_plan(plan_of(index), index, csv_path, json_path, replace=True)
    assert before == (csv_path.read_bytes(), json_path.read_bytes(), json_path.stat().st_mtime_ns)


def test_another_plan_is_replaced_only_when_asked(saved):
    index, csv_path, json_path = saved
    other = plan_of(index, 3)
    with pytest.raises(PlanError, match=r"another plan is there \(2 folds.*not this one \(3 folds"):
        save_plan(other, index, csv_path, json_path, replace=False)
    assert load_plan(csv_path, json_path).count == 2
    assert save_plan(other, index, csv_path, json_path, replace=True)
    assert load_plan(csv_path, json_path).count == 3


def test_a_plan_that_was_half_written_is_finished(saved):
    index, csv_path, json_path = saved
    whole = json_path.read_bytes()
    json_path.unlink()
    with pytest.raises(PlanError, match="no fold plan there; make it with `comp folds make`"):
        load_plan(csv_path, json_path)
    assert save_plan(plan_of(index), index, csv_path, json_path, replace=False)
    assert json_path.read_bytes() == whole


def test_a_csv_without_its_manifest_is_not_overwritten(saved):
    index, csv_path, json_path = saved
    json_path.unlink()
    with pytest.raises(PlanError, match="json is missing or damaged"):
        save_plan(plan_of(index, 3), index, csv_path, json_path, replace=False)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows.__setitem__(1, "0000,7,p,a"), "line 2: the fold '7' of '0000'"),
        (lambda rows: rows.__setitem__(1, "0000,x,p,a"), "line 2: the fold 'x' of '0000'"),
        (lambda rows: rows.append(rows[1]), "line 8: the id '0000' stands on line 2 too"),
        (lambda rows: rows.pop(1), "ids, labels or groups are not those"),
        (lambda rows: rows.__setitem__(1, rows[1][:-1] + "b"), "ids, labels or groups are not"),
        (lambda rows: rows.__setitem__(1, rows[1][:-1] + "z"), "line 2: 'z' in column 'label'"),
        (lambda rows: rows.__setitem__(0, "id,fold,label"), "4 cells|not a table|has 3"),
        (lambda rows: rows.__setitem__(0, "id,fold,group,target"), "its columns are"),
    ],
)
def test_a_plan_edited_by_hand_is_refused(saved, edit, message):
    _, csv_path, json_path = saved
    rows = csv_path.read_text().splitlines()
    edit(rows)
    csv_path.write_text("\n".join(rows) + "\n")
    with pytest.raises(PlanError, match=message) as caught:
        load_plan(csv_path, json_path)
    assert "make it again with `comp folds make --replace`" in str(caught.value)


def test_an_id_in_another_fold_is_refused(tmp_path):
    index = index_of([0, 1] * 4)
    paths = tmp_path / "x.csv", tmp_path / "x.json"
    save_plan(plan_of(index), index, *paths, replace=False)
    rows = paths[0].read_text().splitlines()
    name, fold, *rest = rows[1].split(",")
    rows[1] = ",".join([name, str(1 - int(fold)), *rest])
    paths[0].write_text("\n".join(rows) + "\n")
    with pytest.raises(PlanError, match="in another fold") as caught:
        load_plan(*paths)
    assert f"fold {1 - int(fold)} has 5 ids where the manifest says 4" in str(caught.value)


def test_a_group_in_two_folds_is_refused_with_its_lines(saved):
    _, csv_path, json_path = saved
    rows = csv_path.read_text().splitlines()
    fold = rows[1].split(",")[1]
    rows[2] = f"0001,{1 - int(fold)},p,b"
    csv_path.write_text("\n".join(rows) + "\n")
    with pytest.raises(
        PlanError, match=rf"line 3: the group 'p' is in fold \d, on line 2 in {fold}"
    ):
        load_plan(csv_path, json_path)


def test_an_empty_fold_is_refused(saved):
    _, csv_path, json_path = saved
    about = json.loads(json_path.read_text())
    json_path.write_text(json.dumps({**about, "count": 3}))
    with pytest.raises(PlanError, match="no id is in fold 2"):
        load_plan(csv_path, json_path)
    json_path.write_text("{}")
    with pytest.raises(PlanError, match="not the manifest of a plan"):
        load_plan(csv_path, json_path)


def test_rows_in_another_order_are_the_same_plan(saved):
    index, csv_path, json_path = saved
    header, *rows = csv_path.read_text().splitlines()
    csv_path.write_text("\r\n".join([header, *reversed(rows)]) + "\r\n")
    load_plan(csv_path, json_path).check(index)


def test_shuffled_rows_of_a_table_give_the_same_files(tmp_path):
    rows = [f"{number},{number % 3}" for number in range(12)]
    (tmp_path / "train").mkdir()
    for number in range(12):
        (tmp_path / f"train/{number:03d}.png").write_bytes(b"")
    data = DataConfig(root=str(tmp_path), target="label")
    written = []
    for name, order in (("one", rows), ("two", rows[::-1])):
        (tmp_path / "train.csv").write_text("\n".join(["id,label", *order]) + "\n")
        index = read_index(data, TASKS["multiclass"])
        paths = tmp_path / f"{name}.csv", tmp_path / f"{name}.json"
        save_plan(plan_of(index, 4), index, *paths, replace=False)
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]


def test_a_hold_out_comes_back_from_its_files(tmp_path: Path) -> None:
    index = index_of([0, 0, 0, 1] * 10)
    plan = make_plan(index, FoldsConfig(holdout=0.25), 42)
    paths = tmp_path / "x.csv", tmp_path / "x.json"
    save_plan(plan, index, *paths, replace=False)
    back = load_plan(*paths)
    assert (back.fold.tolist(), back.fingerprint) == (plan.fold.tolist(), plan.fingerprint)


def test_unknown_cells_come_back_and_are_part_of_the_fingerprint(tmp_path):
    cells = [[0, 1], [1, -1], [-1, -1], [1, 0], [0, 0], [1, 1]]
    index = index_of(cells, classes=("x", "y"))
    plan = plan_of(index)
    paths = tmp_path / "x.csv", tmp_path / "x.json"
    save_plan(plan, index, *paths, replace=False)
    back = load_plan(*paths)
    back.check(index)
    assert back.labels == ("y", "x|y=?", "x=?|y=?", "x", "", "x|y")
    other = index_of([[0, 1], [1, 0], *cells[2:]], classes=("x", "y"))
    assert other.fingerprint != index.fingerprint
    with pytest.raises(PlanError):
        back.check(other)
