"""A training image cannot be a test image, under whatever name."""

from layout_toys import lay, refusal, touch

from comp.config.schema import DataConfig
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


def test_a_training_image_cannot_be_a_test_image(tmp_path):
    data = lay(tmp_path, "x,a\ny,b\n", ["x.png", "y.png", "z.png"], test_images="train")
    (tmp_path / "sample_submission.csv").write_text("id,label\nz,0\n")
    assert len(read_index(data, TASKS["binary"])) == 2
    (tmp_path / "sample_submission.csv").write_text("id,label\nz,0\ny.png,0\n")
    path = tmp_path / "train/y.png"
    assert refusal(data).splitlines() == [
        f"{tmp_path}: 1 training images are test images:",
        f"  - the training id 'y' ({tmp_path}/train.csv, line 3: {path}) is the test id 'y.png' "
        f"({tmp_path}/sample_submission.csv, line 3: {path})",
    ]


def test_a_link_to_a_training_image_cannot_be_a_test_image(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/2.png")
    (tmp_path / "test/cat").mkdir(parents=True)
    data = DataConfig(root=str(tmp_path), layout="folders")
    assert len(read_index(data, TASKS["binary"])) == 2
    (tmp_path / "test/cat/1.png").symlink_to(tmp_path / "train/cat/1.png")
    message = refusal(data, "binary")
    assert f"'cat/1.png' ({tmp_path}/train/cat/1.png) is the test id 'cat/1.png'" in message


def test_equal_ids_in_two_folders_are_two_images(tmp_path):
    data = lay(tmp_path, "1,a\n2,b\n", ["1.png", "2.png"])
    touch(tmp_path / "test", "1.png")
    (tmp_path / "sample_submission.csv").write_text("id,label\n1,0\n")
    assert len(read_index(data, TASKS["binary"])) == 2
