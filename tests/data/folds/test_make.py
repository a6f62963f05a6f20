"""A plan is a partition, written once, that holds groups together and refuses other data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comp.config.schema import DataConfig, FoldsConfig
from comp.core.errors import ConfigError, PlanError, UsageError
from comp.data.folds.make import SCHEMES, balance, load_plan, make_plan, save_plan
from comp.data.folds.schemes import Scheme, split
from comp.data.index.index import Index
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS

SHARED = Path(__file__).parents[2] / "../shared/data"
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the real competitions are not here")


def index_of(target, groups=None, classes=None, ids=None):
    target = np.asarray(target, dtype=np.int64)
    ids = ids or [f"{number:04d}" for number in range(len(target))]
    count = target.shape[1] if target.ndim == 2 else int(target.max()) + 1
    names = classes or tuple("abcdefghij"[:count])
    groups = None if groups is None else tuple(map(str, groups))
    return Index(tuple(ids), tuple(Path(name) for name in ids), names, target, groups)


def plan_of(index, count=2, scheme="auto", seed=42):
    return make_plan(index, FoldsConfig(count=count, scheme=scheme), seed)


def random_index(kind, rows=60, seed=0):
    draw = np.random.default_rng(seed)
    target = draw.integers(0, 2, (rows, 3)) if "multilabel" in kind else draw.integers(0, 3, rows)
    grouped = "group" in kind
    return index_of(target, draw.integers(0, 20, rows) if grouped else None)


@pytest.fixture
def saved(tmp_path):
    """A grouped plan on the disk: its index, its two files."""
    index = index_of([0, 1, 0, 1, 0, 1], ["p", "p", "q", "q", "r", "r"])
    paths = tmp_path / "folds/x.csv", tmp_path / "folds/x.json"
    assert save_plan(plan_of(index), index, *paths, replace=False)
    return index, *paths


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_a_partition_that_holds_groups(scheme):
    index = random_index(scheme)
    plan = plan_of(index, 4, scheme)
    parts = [set(plan.valid(k)) for k in range(4)]
    assert all(parts)
    assert sum(map(len, parts)) == len(index) == len(set.union(*parts))
    for k in range(4):
        assert {*plan.train(k)} == {*index.ids} - parts[k]
        train, valid = (index.rows(ids) for ids in (plan.train(k), plan.valid(k)))
        assert not index.groups or not (
            {index.groups[row] for row in train} & {index.groups[row] for row in valid}
        )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_and_nothing_else_decides(scheme):
    index = random_index(scheme)
    plan = plan_of(index, 4, scheme)
    np.random.seed(0)  # noqa: NPY002  (another global state must not matter)
    assert plan_of(index, 4, scheme).fold.tolist() == plan.fold.tolist()
    assert plan_of(index, 4, scheme, seed=43).fold.tolist() != plan.fold.tolist()


@pytest.mark.parametrize(
    "kind", ["stratified", "stratified_group", "multilabel", "multilabel_group"]
)
def test_auto_takes_what_the_data_has(kind):
    assert plan_of(random_index(kind)).scheme == kind


def test_classes_are_spread_evenly():
    index = index_of([0] * 20 + [1] * 10 + [2] * 5)
    made = balance(plan_of(index, 5), index).plain()
    assert made == {
        "rows": [7] * 5,
        "classes": {"a": [4] * 5, "b": [2] * 5, "c": [1] * 5},
        "groups": None,
    }


def test_groups_are_counted():
    index = index_of([0, 1] * 6, [number // 2 for number in range(12)])
    made = balance(plan_of(index, 3), index).plain()
    assert made["rows"] == [4, 4, 4]
    assert made["groups"] == [2, 2, 2]


def test_no_fold_is_empty_when_a_group_holds_nearly_everything():
    index = index_of([0, 1] * 50 + [0, 1], ["big"] * 100 + ["s", "t"])
    plan = plan_of(index, 3)
    assert sorted(balance(plan, index).rows.tolist()) == [1, 1, 100]
    assert "folds of unequal size: 1 to 100 images" in plan.warnings


def test_a_library_that_leaves_a_fold_empty_is_overruled():
    lazy = Scheme(lambda target, *_: np.zeros(len(target)), grouped=True, ndim=None)
    fold = split(lazy, index_of([0, 1, 0, 1, 0, 1], "ppqqrr"), 3, seed=0)
    assert fold[::2].tolist() == fold[1::2].tolist()
    assert sorted(fold[::2].tolist()) == [0, 1, 2]


def test_the_labels_of_groups_are_spread_evenly():
    labels = np.repeat([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], 4, axis=0)
    index = index_of(labels, [number // 2 for number in range(16)])
    made = balance(plan_of(index, 2), index).plain()
    assert made["classes"] == {"a": [2, 2], "b": [2, 2], "c": [2, 2]}
    assert made["groups"] == [4, 4]


@pytest.mark.parametrize(
    "target",
    [
        [[0]] * 3 + [[1]] * 3,  # one column
        [[0, 0]] * 6,  # no label at all
        [[1, 1]] * 6,
        [[1, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]],
    ],
)
@pytest.mark.parametrize("groups", [None, "ppqqrr"])
def test_odd_shapes_of_labels_are_parted(target, groups):
    index = index_of(target, groups)
    assert balance(plan_of(index, 3), index).rows.tolist() == [2, 2, 2]


def test_one_multilabel_column_is_stratified():
    index = index_of([[0]] * 30 + [[1]] * 10)
    assert balance(plan_of(index, 5), index).plain()["classes"] == {"a": [2] * 5}


def test_classes_smaller_than_the_folds_are_spread():
    index = index_of([0, 0, 1, 1, 2, 2])
    plan = plan_of(index, 3)
    made = balance(plan, index)
    assert made.rows.tolist() == [2, 2, 2]
    assert all(counts.max() == 1 for counts in made.classes.values())
    assert plan.warnings[0] == (
        "class 'a' lives in 2 images: 3 folds cannot all contain it; no seed will help"
    )


def test_what_a_plan_cannot_mend_is_a_warning():
    plan = plan_of(index_of([0] * 9 + [1]), 3)
    (fold,) = (k for k in range(3) if "0009" in plan.valid(k))
    others = ", ".join(str(k) for k in range(3) if k != fold)
    assert plan.warnings == (
        "class 'b' lives in 1 images: 3 folds cannot all contain it; no seed will help",
        f"class 'b' is absent from the folds {others}",
        f"class 'b' is in fold {fold} only: its own models never see it",
    )
    grouped = plan_of(index_of([0, 1] * 2 + [0] * 2, "ppqqrs"), 3)
    assert grouped.warnings[0] == (
        "class 'b' lives in 2 groups: 3 folds cannot all contain it; no seed will help"
    )


@pytest.mark.parametrize(
    ("index", "folds", "told"),
    [
        (index_of([0, 1]), {"count": 3}, "3 folds for 2 images; at most 2"),
        (index_of([0, 1, 0], "ppq"), {"count": 3}, r"3 folds for 2 groups \(data.group, 3 images"),
        (index_of([0, 1, 0]), {"scheme": "group"}, r"no groups \(data.group\); use auto or one of"),
        (index_of([0, 1, 0], "ppq"), {"scheme": "stratified"}, "would part the groups"),
        (index_of([[0], [1]]), {"scheme": "stratified"}, "use auto, here multilabel"),
    ],
)
def test_impossible_plans_are_refused(index, folds, told):
    with pytest.raises(PlanError, match=told):
        plan_of(index, **folds)


def test_an_unknown_scheme_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'stratified'"):
        plan_of(index_of([0, 1]), scheme="stratifed")


@pytest.mark.parametrize("k", [-1, 2])
def test_a_fold_out_of_range_is_refused(k):
    plan = plan_of(index_of([0, 1, 0, 1]))
    for part in (plan.train, plan.valid):
        with pytest.raises(UsageError, match=f"no fold {k}: the plan has the folds 0..1"):
            part(k)


# files


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
    ("edit", "told"),
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
def test_a_plan_edited_by_hand_is_refused(saved, edit, told):
    _, csv_path, json_path = saved
    rows = csv_path.read_text().splitlines()
    edit(rows)
    csv_path.write_text("\n".join(rows) + "\n")
    with pytest.raises(PlanError, match=told) as caught:
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


def test_stale_plans_say_what_changed(saved):
    index, csv_path, json_path = saved
    plan = load_plan(csv_path, json_path)
    ids = ("0000", "0001", "0002", "0003", "0004", "new")
    now = Index(
        ids,
        tuple(Path(name) for name in ids),
        index.classes,
        np.array([1, 1, 0, 1, 0, 1]),
        ("p", "p", "q", "z", "r", "r"),
    )
    with pytest.raises(PlanError) as caught:
        plan.check(now)
    assert str(caught.value).splitlines() == [
        f"{csv_path}: stale: made for other data ({index.fingerprint[:8]}, now "
        f"{now.fingerprint[:8]}):",
        "  - 1 new ids: 'new'",
        "  - 1 ids are gone: '0005'",
        "  - 1 ids have another label: '0000' 'a' -> 'b'",
        "  - 1 ids have another group: '0003' 'q' -> 'z'",
        "Bring the old data back, or plan again with `comp folds make --replace` "
        "(what was trained on the old plan is then stale too).",
    ]
    with pytest.raises(PlanError, match="the classes were 'a', 'b', now 'b', 'a'"):
        plan.check(replace(index, classes=("b", "a"), target=1 - index.labels))


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


@real
def test_the_classes_of_real_groups_are_balanced():
    signs = DataConfig(root=str(SHARED / "signs"), target="label", group="student")
    index = read_index(signs, TASKS["multiclass"])
    plan = plan_of(index, 5)
    made = balance(plan, index)
    assert plan.warnings == ()
    assert all(np.ptp(counts) <= 3 for counts in made.classes.values())
