"""The layout `csv`: a table of labels and a folder of images."""

import pytest
from layout_toys import files_of, lay, refusal, several

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.data.layouts import csv_table
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


def test_everything_is_text(tmp_path):
    images = ["00001.png", "NA.png", "None.png", "1.png"]
    data = lay(tmp_path, "00001,NA\nNA,None\nNone,01\n1,가\n", images)
    index = read_index(data, TASKS["multiclass"])
    assert index.ids == ("00001", "1", "NA", "None")
    assert index.classes == ("01", "NA", "None", "가")
    assert index.label_texts() == ["NA", "가", "None", "01"]


def test_all_complaints_come_at_once(tmp_path):
    data = lay(tmp_path, "x,a\nx,b\ny,\nz,c\n", ["x.png", "y.png"], group="grp")
    message = refusal(data)
    assert "the id 'x' stands on lines 2 (a) and 3 (b)" in message
    assert "1 rows have no label: lines 4" in message
    assert "data.group: no column 'grp'; its columns are 'id', 'label'" in message
    assert "1 of 4 ids have no image in" in message
    assert "'z'" in message


def test_unknown_columns_name_the_nearest(tmp_path):
    message = refusal(lay(tmp_path, "x,a\n", ["x.png"], id="idx", target=["labels"]))
    assert "data.id: no column 'idx'" in message
    assert "no column 'labels'; its columns are 'id', 'label'. Did you mean 'label'?" in message
    message = refusal(lay(tmp_path, "x,a\n", ["x.png"], target=[]))
    assert "data.target names no column" in message


def test_groups_are_text_and_an_empty_one_is_a_group_of_its_own(tmp_path, capsys):
    data = several(tmp_path, "id,label,g\nq,1,01\np,0,1\n", None, group="g")
    assert read_index(data, TASKS["binary"]).groups == ("1", "01")
    data = several(tmp_path, "id,label,g\nq,1,\np,0, \nr,1,q\n", None, group="g")
    (tmp_path / "train" / "r.png").write_bytes(b"")
    assert read_index(data, TASKS["binary"]).groups == ("p", "q_", "q")
    assert (
        "2 rows have no group in 'g': lines 2, 3; each is a group of its" in capsys.readouterr().err
    )
    refused = data.model_copy(update={"group_blank": "refuse"})
    assert "2 rows have no group in 'g': lines 2, 3; give them one, or set" in refusal(refused)


def test_the_order_of_rows_does_not_matter(tmp_path):
    images = ["a.png", "b.png", "c.png"]
    one = read_index(lay(tmp_path, "a,1\nb,2\nc,1\n", images), TASKS["multiclass"])
    two = read_index(lay(tmp_path, "c,1\na,1\nb,2\n", images), TASKS["multiclass"])
    assert one.fingerprint == two.fingerprint
    assert (one.paths, one.labels.tolist()) == (two.paths, two.labels.tolist())


def test_what_is_missing_is_named_with_its_key(tmp_path):
    data = DataConfig(root=str(tmp_path), train_csv="labels.csv", train_images="photos")
    assert csv_table.lacks(data) == [
        f"the table {tmp_path / 'labels.csv'} is missing (data.train_csv)",
        f"the folder {tmp_path / 'photos'} is missing",
    ]
    (tmp_path / "labels.csv").touch()
    (tmp_path / "photos").mkdir()
    assert csv_table.lacks(data) == []


def test_each_id_has_its_own_file_label_and_group_whatever_the_order_of_the_table(tmp_path):
    data = several(tmp_path, "id,label,g\nq,1,b\np,0,a\n", None, group="g")
    index = csv_table.train(data, TASKS["binary"])
    assert files_of(index) == {"p": "p.png", "q": "q.png"}
    assert (index.target.tolist(), index.groups) == ([0, 1], ("a", "b"))


@pytest.mark.parametrize("group", [None, AUTO_GROUP])
def test_without_a_column_of_groups_there_are_none(tmp_path, group):
    data = several(tmp_path, "id,label,g\nq,1,b\np,0,a\n", None, group=group)
    assert csv_table.train(data, TASKS["binary"]).groups is None


def test_a_table_without_rows_is_refused(tmp_path):
    assert "no rows" in refusal(lay(tmp_path, "", []))


def test_an_id_that_leads_out_of_the_folder_is_refused_with_its_line(tmp_path):
    message = refusal(lay(tmp_path, "x,a\n../y,b\n", ["x.png"]))
    assert "line 3: the id '../y' leads out of the folder of images" in message
