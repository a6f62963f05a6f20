"""Known answers are joined to the test images by id."""

import pytest
from layout_toys import defects, lay

from comp.core.errors import DataError
from comp.data.layouts.test_answers import read_answers
from comp.tasks.kinds import TASKS


def test_answers_follow_the_test_ids(tmp_path):
    data = lay(tmp_path, "", [], test_answers="truth.csv")
    classes = ("a", "b", "c")
    (tmp_path / "truth.csv").write_text("id,label\n1,b\n2,a\n3,b\n")
    answers = read_answers(data, TASKS["multiclass"], classes, ["3", "2"])
    assert answers.tolist() == [1, 0]
    (tmp_path / "truth.csv").write_text("id,label\n1,x\n1,a\n")
    with pytest.raises(DataError) as caught:
        read_answers(data, TASKS["multiclass"], classes, ["1", "9"])
    assert "1 test ids have no answer: '9'" in str(caught.value)
    assert "the label 'x' is none of the classes" in str(caught.value)
    assert "the id '1' stands on lines 2 and 3" in str(caught.value)
    assert read_answers(lay(tmp_path, "", []), TASKS["multiclass"], classes, ["1"]) is None


def test_answers_may_be_class_numbers(tmp_path):
    data = defects(tmp_path).model_copy(update={"test_answers": "answers.csv"})
    (tmp_path / "answers.csv").write_text("ImageId,answer\nu.jpg,1\nt.jpg,0\n")
    answers = read_answers(data, TASKS["binary"], ("normal", "defect"), ["t.jpg", "u.jpg"])
    assert answers.tolist() == [0, 1]
