"""One folder per class."""

from layout_toys import refusal, touch

from comp.config.schema import DataConfig
from comp.data.layouts.layouts import read_index, read_test
from comp.tasks.kinds import TASKS


def test_one_folder_a_class(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "train/dog/s/2.JPG", "test/9.png")
    data = DataConfig(root=str(tmp_path), layout="folders")
    index = read_index(data, TASKS["binary"])
    assert index.ids == ("cat/1.png", "dog/1.png", "dog/s/2.JPG")
    assert (index.classes, index.labels.tolist()) == (("cat", "dog"), [0, 1, 1])
    assert read_test(data, TASKS["binary"], index.classes).ids == ("9.png",)


def test_folders_complain_together(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/loose.png")
    (tmp_path / "train/dog").mkdir()
    message = refusal(DataConfig(root=str(tmp_path), layout="folders", group="g"), "multilabel")
    assert "1 images lie in no folder of a class: 'loose.png'" in message
    assert "folders of a class without images: 'dog'" in message
    assert "data.group: 'g' is a column" in message
    assert "task: multilabel needs the layout 'csv'" in message
