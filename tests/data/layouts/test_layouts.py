"""From the files of a competition to an index; all complaints at once."""

import pytest
from layout_toys import defects, files_of, lay, refusal, touch
from toys import SHARED

from comp.config.schema import DataConfig
from comp.core.errors import ConfigError, DataError
from comp.data.layouts.layouts import read_index, read_test
from comp.tasks.kinds import TASKS

real = pytest.mark.skipif(not SHARED.is_dir(), reason="the real competitions are not here")


def test_test_ids_are_those_of_the_sample(tmp_path):
    data = lay(tmp_path, "x,a\ny,b\n", ["x.png", "y.png"])
    touch(tmp_path / "test", "002.png", "001.png", "003.png")
    (tmp_path / "sample_submission.csv").write_text("number,label\n2,a\n1,a\n")
    index = read_test(data, TASKS["binary"], ("a", "b"))
    assert files_of(index) == {"1": "001.png", "2": "002.png"}
    assert (index.target, index.classes) == (None, ("a", "b"))


def test_without_a_sample_every_test_image_counts(tmp_path):
    data = lay(tmp_path, "", [], sample_submission=None)
    touch(tmp_path / "test", "b.png", "a.JPG", "notes.txt")
    assert read_test(data, TASKS["binary"], ("a", "b")).ids == ("a.JPG", "b.png")


def test_a_sample_that_cannot_be_right(tmp_path):
    data = lay(tmp_path, "", [])
    touch(tmp_path / "test", "a.png")
    with pytest.raises(DataError, match=r"no such file: .*sample_submission.csv; name the file"):
        read_test(data, TASKS["binary"], ("a", "b"))
    (tmp_path / "sample_submission.csv").write_text("id,label\na,0\na,0\nz,0\n")
    with pytest.raises(DataError) as caught:
        read_test(data, TASKS["binary"], ("a", "b"))
    assert "the id 'a' stands on lines 2 and 3" in str(caught.value)
    assert "1 of 3 ids have no image" in str(caught.value)


def test_defects_and_their_masks(tmp_path):
    data = defects(tmp_path)
    index = read_index(data, TASKS["binary"])
    assert index.ids == ("a.jpg", "defect_images/n.jpg", "normal_images/n.jpg", "o.jpg")
    assert (index.classes, index.labels.tolist()) == (("normal", "defect"), [1, 1, 0, 0])
    assert index.mask_paths == (tmp_path / "train/defect_masks/a.png", None, None, None)
    assert read_test(data, TASKS["binary"], index.classes).ids == ("t.jpg", "u.jpg")


def test_a_missing_folder_names_the_layouts_that_fit(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png")
    message = refusal(DataConfig(root=str(tmp_path), layout="defects"))
    assert f"the folder {tmp_path / 'train/normal_images'} is missing" in message
    assert "layouts that fit: folders" in message
    message = refusal(DataConfig(root=str(tmp_path)))
    assert f"the table {tmp_path / 'train.csv'} is missing (data.train_csv)" in message


def test_a_missing_root_names_the_nearest_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input/letters").mkdir(parents=True)
    message = refusal(DataConfig(root="input/leters"))
    assert f"relative to the current folder, {tmp_path}" in message
    assert "Did you mean 'input/letters'?" in message


def test_an_unknown_layout_names_the_choices():
    with pytest.raises(
        ConfigError,
        match=r"csv, folders, names, .*masks, rle, profiles\. Did you mean 'folders'",
    ):
        read_index(DataConfig(root=".", layout="folder"), TASKS["binary"])


@real
def test_the_real_competitions_are_read():
    letters = DataConfig(root=str(SHARED / "letters"), id="index", target=tuple("abcdefghijklm"))
    index = read_index(letters, TASKS["multilabel"])
    assert (index.labels.shape, index.paths[-1].name) == ((2400, 13), "00999.jpg")
    signs = DataConfig(root=str(SHARED / "signs"), target="label", group="student")
    index = read_index(signs, TASKS["multiclass"])
    assert (len(index), index.classes) == (754, tuple("0123456789"))
    assert len(read_test(signs, TASKS["multiclass"], index.classes)) == 314
    tiles = DataConfig(root=str(SHARED / "tiles"), layout="defects")
    index = read_index(tiles, TASKS["binary"])
    assert (len(index), index.labels.sum(), sum(m is not None for m in index.mask_paths)) == (
        680,
        30,
        30,
    )
    assert len(read_test(tiles, TASKS["binary"], index.classes)) == 418
