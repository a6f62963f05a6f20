"""The embedded sample is whole or absent, and reads like any competition."""

import numpy as np
import pytest

from comp.config.schema import DataConfig
from comp.core.errors import ConfigError
from comp.core.scratch import held, scratch_path
from comp.data.layouts import embedded_sample
from comp.data.layouts.layouts import read_index, read_test
from comp.data.layouts.test_answers import read_answers
from comp.tasks.kinds import TASKS


def digits(root):
    return DataConfig(
        root=str(root), make="digits", target="digit", test_answers="test_answers.csv"
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("sample") / "input/digits"
    embedded_sample.ensure_sample(digits(root))
    return root


def test_the_digits_are_a_competition(made):
    task = TASKS["multiclass"]
    index = read_index(digits(made), task)
    test = read_test(digits(made), task, index.classes)
    assert (len(index), len(test), index.classes) == (1437, 360, tuple("0123456789"))
    assert not {*index.ids} & {*test.ids}
    assert {len(name) for name in index.ids} == {4}
    answers = read_answers(digits(made), task, index.classes, test.ids)
    shares = [np.bincount(target) / len(target) for target in (index.labels, answers)]
    assert np.abs(shares[0] - shares[1]).max() < 0.002
    assert (made / "sample_submission.csv").read_text().splitlines()[:1] == ["id,digit"]


def test_the_digits_are_grey_images_of_32_pixels(made):
    import cv2
    from sklearn.datasets import load_digits

    image = cv2.imread(str(next((made / "train").glob("0000.png"))), cv2.IMREAD_UNCHANGED)
    assert (image.shape, image.dtype) == ((32, 32), np.uint8)
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), load_digits().images[0].ravel())[0, 1] > 0.98


def test_what_is_there_is_left_alone(made, tmp_path):
    stamp = (made / "train.csv").stat().st_mtime_ns
    embedded_sample.ensure_sample(digits(made))
    assert (made / "train.csv").stat().st_mtime_ns == stamp
    embedded_sample.ensure_sample(DataConfig(root=str(tmp_path / "absent")))
    assert not (tmp_path / "absent").exists()


def test_a_builder_that_dies_leaves_nothing(tmp_path, monkeypatch):
    def dies(folder):
        (folder / "train").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setitem(embedded_sample.SAMPLES, "digits", dies)
    with pytest.raises(KeyboardInterrupt):
        embedded_sample.ensure_sample(digits(tmp_path / "digits"))
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_dead_builder_are_swept(tmp_path, monkeypatch):
    orphan, alive = (scratch_path(tmp_path / "digits") for _ in range(2))
    orphan.mkdir()
    monkeypatch.setitem(
        embedded_sample.SAMPLES, "digits", lambda folder: (folder / "train").mkdir()
    )
    (tmp_path / "digits").mkdir()
    with held(alive, folder=True):
        embedded_sample.ensure_sample(digits(tmp_path / "digits"))
    assert (tmp_path / "digits/train").is_dir()
    assert (orphan.exists(), alive.exists()) == (False, True)


def test_an_unknown_sample_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'digits'"):
        embedded_sample.ensure_sample(DataConfig(root=str(tmp_path / "x"), make="digit"))
