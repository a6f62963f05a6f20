"""Every key of the config has a meaning, and the reference says what the schema does."""

from comp.config.loading import make_config, plain
from comp.config.plain_yaml import flatten
from comp.config.reference import keys, reference


def test_every_key_has_a_meaning() -> None:
    assert [key.path for key in keys() if not key.meaning] == []


def test_the_reference_has_every_key_with_its_default() -> None:
    needed = {"name": "x", "task": "binary", "metric": "macro_f1", "data": {"root": "in"}}
    found = {key.path: key for key in keys()}
    optional = (
        "augment.copies.",
        "data.extra.",
        "tasks.",
        "data.aux.",
        "train.pseudo.",
        "train.teacher.",
        "train.clean.",
    )
    copies = {path for path in found if path.startswith(optional)}
    resolved = dict(flatten(plain(make_config(needed))))
    empty = {"data.bins", "official.arguments", "data.colours", "data.rename", "plugins"}
    assert {*found} - copies - empty == {*resolved} - empty
    assert (found["train.lr"].type, found["train.lr"].default) == ("number > 0", "0.001")
    meaning = "Highest learning rate; left out: 1e-3 from pretrained weights, 3e-3 from scratch"
    assert found["train.lr"].meaning == meaning
    assert found["data.root"].default == "needed"
    assert found["image.mean"].type == (
        "auto or list of number >= 0 and <= 1 of at least 1 or null"
    )
    assert found["data.ignore"].type == "integer >= 0 and <= 255 or null"
    assert found["augment.copies.turns"].default == "36"


def test_the_page_has_a_table_for_each_section() -> None:
    page = reference()
    assert page.count("| key | type | default | meaning |") == 13
    assert "| `train.class_weights` | none or inverse or effective | `none` |" in page
