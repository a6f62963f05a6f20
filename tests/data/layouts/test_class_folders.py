"""One folder per class."""

import pytest
from layout_toys import refusal, touch

from comp.config.schema import DataConfig
from comp.data.layouts.class_folders import labels_in, likely_pattern
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


@pytest.mark.parametrize(
    ("form", "labels"),
    [
        ("{label}.{n}.png", ["cat", "dog"]),
        ("{label}_{n:04}.png", ["tabby_cat", "dog"]),
        ("{label}-{n}.JPG", ["cat", "dog"]),
        ("{label}{n}.png", ["cat", "dog"]),
        ("{label} ({n}).png", ["cat", "고양이"]),
        ("{n:04}_{label}.png", ["cat", "dog"]),
        ("{n}-{label}-{n}.png", ["cat", "dog"]),
    ],
)
def test_the_label_in_a_name(tmp_path, form, labels):
    names = [form.format(label=label, n=n) for label in labels for n in range(10, 16)]
    touch(tmp_path, *(f"train/{name}" for name in names), "test/1.png")
    index = read_index(DataConfig(root=str(tmp_path), layout="names"), TASKS["binary"])
    assert {*index.ids} == {*names}
    said = dict(zip(index.ids, (index.classes[n] for n in index.labels), strict=True))
    assert said == dict(zip(names, sorted(labels * 6, key=labels.index), strict=True))


def test_names_that_hold_no_labels(tmp_path):
    uuids = [f"{n * 2654435761 % 2**32:08x}-{n * 40503 % 65536:04x}" for n in range(1, 40)]
    for names in (
        [f"train_{n:04}.png" for n in range(20)],
        [f"IMG_{n}.png" for n in range(20)],
        [f"{n}.png" for n in range(20)],
        [f"{name}.png" for name in uuids],
        ["cat.0.png", "dog.0.png"],
        [f"{label}.{n}.png" for label in ("cat", "dog") for n in range(9)] + ["other.png"],
    ):
        assert likely_pattern(names) is None, names
    touch(tmp_path, *(f"train/IMG_{n}.png" for n in range(20)))
    message = refusal(DataConfig(root=str(tmp_path), layout="names"), "binary")
    assert "do not tell 2 to 200 labels" in message
    assert "data.label_from_name" in message


def test_the_config_says_where_the_label_is(tmp_path):
    touch(tmp_path, "train/s1_cat_x.png", "train/s2_dog_y.png")
    data = DataConfig(root=str(tmp_path), layout="names", label_from_name="_([a-z]+)_")
    index = read_index(data, TASKS["binary"])
    assert (index.classes, index.labels.tolist()) == (("cat", "dog"), [0, 1])
    assert labels_in(["a/b_cat_.png", "none.png"], "_([a-z]+)_") == ["cat", ""]
    touch(tmp_path, "train/plain.png")
    assert "1 names have no label by '_([a-z]+)_'" in refusal(data, "binary")
    for wrong, reason in (
        ("(a)(b)", "has 2 groups"),
        ("cat", "has 0 groups"),
        ("(", "is no regul"),
    ):
        with pytest.raises(ValueError, match=reason):
            DataConfig(root=str(tmp_path), label_from_name=wrong)
