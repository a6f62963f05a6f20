"""A csv competition of empty images, and what reading one complains about."""

import pytest

from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def lay(root, table, images, **keys):
    """A csv competition; `table` without its header `id,label`."""
    root.mkdir(exist_ok=True)
    (root / "train.csv").write_text("id,label\n" + table, encoding="utf-8")
    (root / "train").mkdir(exist_ok=True)
    touch(root / "train", *images)
    return DataConfig(**{"root": str(root), "target": "label", **keys})


def refusal(data, task="multiclass"):
    with pytest.raises(DataError) as caught:
        read_index(data, TASKS[task])
    return str(caught.value)


def files_of(index):
    return {name: path.name for name, path in zip(index.ids, index.paths, strict=True)}


def several(root, table, task, **keys):
    data = lay(root, "", [], **keys)
    (root / "train.csv").write_text(table)
    touch(root / "train", "p.png", "q.png")
    return data if task is None else read_index(data, TASKS[task])


def defects(root):
    touch(root / "train", "defect_images/a.jpg", "defect_images/n.jpg", "defect_masks/a.png")
    touch(root / "train", "normal_images/n.jpg", "normal_images/o.jpg")
    touch(root / "test/images", "t.jpg", "u.jpg")
    (root / "test/sample_submission.csv").write_text("ImageId,answer\nu.jpg,0\nt.jpg,0\n")
    return DataConfig(root=str(root), layout="defects")
