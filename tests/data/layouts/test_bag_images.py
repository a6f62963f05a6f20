from pathlib import Path

import pytest
from bag_toys import lay_bags, lay_videos
from toys import paint, write_csv

from comp.config.schema import DataConfig
from comp.core.errors import ConfigError, DataError
from comp.data.bags.collect import answered, bagged
from comp.data.layouts.layouts import answered_ids, read_index, read_test
from comp.tasks.kinds import TASKS

BINARY = TASKS["binary"]


def data(root: Path, **values: object) -> DataConfig:
    own = {"bag": "patient", "bag_order": "slice", "test_csv": "test.csv", "target": "label"}
    return DataConfig(root=str(root), **{**own, **values})  # type: ignore[arg-type]


def test_bags_of_a_column_are_read_in_the_order_of_another(tmp_path: Path) -> None:
    lay_bags(tmp_path, 6)
    train = read_index(data(tmp_path), BINARY)
    bags = bagged(train)
    assert bags.ids == tuple(f"p{n:02d}" for n in range(6))
    assert bags.labels.tolist() == [0, 1] * 3
    assert bags.bags is not None
    # The id is (5 * slice + 3) % 8, then the number of the bag
    slices = [[(int(name[0]) - 3) * 5 % 8 for name in own] for own in bags.bags.names()]
    assert slices == [[*range(len(own))] for own in slices]


def test_test_images_come_from_their_table_and_answers_from_the_sample(tmp_path: Path) -> None:
    lay_bags(tmp_path, 6)
    given = data(tmp_path)
    test = read_test(given, BINARY, ("0", "1"))
    rows = answered(test, answered_ids(given, BINARY, test))
    assert rows.ids == ("t06", "t07", "t08", "t09")
    assert rows.bags is not None
    assert sum(map(len, rows.bags.rows)) == len(test)


def test_a_sample_of_images_has_the_answer_of_the_bag_for_each(tmp_path: Path) -> None:
    lay_bags(tmp_path, 6)
    given = data(tmp_path)
    test = read_test(given, BINARY, ("0", "1"))
    some = list(test.ids[:3])
    write_csv(tmp_path / "sample_submission.csv", [["id", "label"], *([n, 0] for n in some)])
    rows = answered(test, answered_ids(given, BINARY, test))
    assert rows.ids == tuple(sorted(some))


def test_without_a_sample_all_bags_are_answered(tmp_path: Path) -> None:
    lay_bags(tmp_path, 6)
    given = data(tmp_path, sample_submission=None)
    test = read_test(given, BINARY, ("0", "1"))
    assert answered_ids(given, BINARY, test) == ("t06", "t07", "t08", "t09")


def test_folders_are_bags_whose_frames_are_ordered_by_number(tmp_path: Path) -> None:
    lay_videos(tmp_path, 4)
    given = DataConfig(root=str(tmp_path), bag="folder", target="label")  # type: ignore[arg-type]
    bags = bagged(read_index(given, BINARY))
    assert bags.ids == ("v00", "v01", "v02", "v03")
    assert bags.labels.tolist() == [0, 1, 0, 1]
    assert bags.bags is not None
    frames = [int(name.rpartition("_")[2][:-4]) for name in bags.bags.names()[3]]
    assert frames == [*range(11)]
    test = read_test(given, BINARY, ("0", "1"))
    assert answered(test, answered_ids(given, BINARY, test)).ids == ("v04", "v05", "v06", "v07")


def test_folders_below_those_of_classes_are_bags(tmp_path: Path) -> None:
    for name in ("cat/a/1.png", "cat/a/2.png", "cat/b/1.png", "dog/a/1.png"):
        paint(tmp_path / "train" / name, 50, 1, 4)
    given = DataConfig(root=str(tmp_path), layout="folders", bag="folder")
    assert bagged(read_index(given, TASKS["multiclass"])).ids == ("cat/a", "cat/b", "dog/a")
    paint(tmp_path / "train/cat/loose.png", 50, 1, 4)
    with pytest.raises(DataError, match=r"(?s)without a bag.*'cat/loose.png'"):
        read_index(given, TASKS["multiclass"])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"layout": "folders"}, r"data.bag: 'patient' is a column .* layout: folders has not"),
        ({"layout": "coco", "bag": "folder", "bag_order": None}, "for the layouts csv, folders"),
        ({"bag": "auto"}, r"data.bag_order: 'slice': with data.bag: auto"),
        ({"bag": None}, "data.bag_order: is the order of the images of a bag; set data.bag"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, values: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        read_index(data(tmp_path, **values), BINARY)


def test_what_is_missing_for_the_test_images_is_told_with_its_key(tmp_path: Path) -> None:
    lay_bags(tmp_path, 4)
    with pytest.raises(DataError, match=r"data.test_csv: no such file: .*none.csv; name a table"):
        read_test(data(tmp_path, test_csv="none.csv"), BINARY, ("0", "1"))
    with pytest.raises(DataError, match=r"data.id: .*data.test_csv"):
        read_test(data(tmp_path, test_csv=None), BINARY, ("0", "1"))
    write_csv(tmp_path / "test.csv", [["id", "slice"], ["x", 1]])
    with pytest.raises(DataError, match=r"(?s)data.bag: .*'patient'.*have no image"):
        read_test(data(tmp_path), BINARY, ("0", "1"))


def test_a_test_image_that_is_a_training_image_is_seen(tmp_path: Path) -> None:
    lay_bags(tmp_path, 4)
    first = (tmp_path / "test.csv").read_text().splitlines()
    given = data(tmp_path, test_images="train")
    image = (tmp_path / "train.csv").read_text().splitlines()[1].split(",")
    (tmp_path / "test.csv").write_text("\n".join([first[0], f"{image[0]},t99,0"]) + "\n")
    with pytest.raises(DataError, match="1 training images are test images"):
        read_index(given, BINARY)
