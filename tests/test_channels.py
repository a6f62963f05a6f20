"""Images of several channels and files, from the table to the submission: identity, chance, resume.

A competition of 16 bits in five channels, once as one TIFF and once as five files an image, and a
series of DICOM slices.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stack_toys import PRIVATE, dicom, nifti, npy, tiff
from toys import write_csv
from train_jobs import Killed, kill_at

import comp
from comp.config.loading import make_config
from comp.config.schema import Config
from comp.core.errors import CompError, DataError
from comp.data.cache.image_range import with_range
from comp.data.cache.pack import open_pack
from comp.stages.experiment import open_experiment, read_test_images, read_train
from comp.train.checkpoints import checkpoint

SIDE, TRAIN, TEST = 24, 24, 6


def drawn(seed: int) -> np.ndarray:
    """(20, 28, 5) uint16 of 12 bits; what is bright in channel 3 or 4 is the class."""
    draw = np.random.default_rng(seed)
    pixels = draw.normal(900, 60, (20, 28, 5))
    pixels[6:14, 8:18, 3 + seed % 2] += 2000
    return np.asarray(pixels.clip(0, 4095).astype(np.uint16))


def lay(root: Path, *, several: bool) -> None:
    """The competition, as one file an image or as one file a channel."""
    rows: dict[str, list[list[Any]]] = {"train": [], "test": []}
    for part, count in (("train", TRAIN), ("test", TEST)):
        (root / part).mkdir(parents=True)
        for number in range(count):
            seed = number if part == "train" else 1000 + number
            name, pixels = f"{part[:2]}{number:03d}", drawn(seed)
            planes = {f"{name}_{n}.tif": pixels[..., n] for n in range(5)}
            files = planes if several else {f"{name}.tif": np.moveaxis(pixels, 2, 0)}
            for file, content in files.items():
                (root / part / file).write_bytes(tiff(content))
            rows[part].append([name, "ab"[seed % 2]])
    write_csv(root / "train.csv", [["id", "label"], *rows["train"]])
    write_csv(
        root / "sample_submission.csv", [["id", "label"], *([n, "a"] for n, _ in rows["test"])]
    )


def config(**over: Any) -> Config:
    tree: dict[str, Any] = {
        "name": "five",
        "task": "binary",
        "metric": "accuracy",
        "data": {"root": "input", "id": "id", "target": "label"},
        "folds": {"count": 2},
        "image": {"size": SIDE, "channels": 5, "bits": 16, "mean": "auto", "std": "auto"},
        "augment": {"recipe": "heavy", "erasing": 0.5, "mixup": 0.2},
        "model": {"name": "test_resnet", "pretrained": False},
        "train": {"epochs": 2, "batch_size": 8, "sched": "cosine", "workers": 0},
    }
    for path, value in over.items():
        section, _, key = path.partition("__")
        if key:
            tree[section][key] = value
        else:
            tree[section] = value
    return make_config(tree)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def packed(made: Config) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of the training and of the test images."""
    experiment = open_experiment(made)
    train = read_train(experiment)
    test = read_test_images(experiment, train.classes)
    image = with_range(made.image, train, Path("cache"))
    parts = [open_pack(index, image, Path("cache")).images for index in (train, test)]
    return tuple(part.take(np.arange(len(part))) for part in parts)  # type: ignore[return-value]


def weights_of(name: str, fold: int) -> str:
    """A digest of the last weights of a fold."""
    model = checkpoint.load(Path(f"runs/{name}/fold_{fold}/last.pt"))["model"]
    total = hashlib.sha256()
    for key in sorted(model):
        total.update(model[key].contiguous().numpy().tobytes())
    return total.hexdigest()


FILES = ["{id}_0.tif", "{id}_1.tif", "{id}_2.tif", "{id}_3.tif", "{id}_4.tif"]


@pytest.mark.parametrize("pack", ["memmap", "encoded", "none"])
def test_identity_one_file_and_five_files_hold_the_same_pixels(workspace: Path, pack: str) -> None:
    lay(Path("input"), several=False)
    lay(Path("apart"), several=True)
    one = packed(config(image__pack=pack))
    data = {"root": "apart", "id": "id", "target": "label", "files": FILES}
    five = packed(config(image__pack=pack, data=data))
    for a, b in zip(one, five, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.shape[1:] == (SIDE, SIDE, 5)
        assert a.dtype == np.uint16
    # Whose channel is bright is which class: rows of the sample, in the order of the ids
    assert [int(image[..., 4].max() > image[..., 3].max()) for image in one[1]] == [0, 1] * 3


def test_identity_columns_of_paths_are_joined_on_the_id(workspace: Path) -> None:
    lay(Path("apart"), several=True)
    names = [f"tr{n:03d}" for n in range(TRAIN)]
    order = np.random.default_rng(0).permutation(TRAIN)
    header = ["id", "label", *(f"c{n}" for n in range(5))]
    rows = [[names[k], "ab"[k % 2], *(f"{names[k]}_{n}.tif" for n in range(5))] for k in order]
    write_csv(Path("apart/train.csv"), [header, *rows])
    tests = [[f"te{n:03d}", *(f"te{n:03d}_{c}.tif" for c in range(5))] for n in range(TEST)]
    write_csv(Path("apart/test.csv"), [["id", *header[2:]], *tests[::-1]])
    data = {"root": "apart", "id": "id", "target": "label", "test_csv": "test.csv"}
    by_column = packed(config(data={**data, "files": [f"{{c{n}}}" for n in range(5)]}))
    by_id = packed(config(data={**data, "files": FILES}))
    for a, b in zip(by_column, by_id, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(DataError, match=r"(?s)\{c0\} is no column of .*sample_submission.csv"):
        packed(config(data={**data, "files": ["{c0}"] * 5, "test_csv": None}))


def test_chance_workers_change_nothing_and_a_submission_is_written(workspace: Path) -> None:
    lay(Path("input"), several=True)
    data = {"root": "input", "id": "id", "target": "label", "files": FILES}
    digests = []
    for name, workers in (("none", 0), ("two", 2)):
        made = config(name=name, data=data, train__workers=workers, train__epochs=1)
        comp.make_folds(made, ".")
        comp.train(made, ".")
        digests.append([weights_of(name, fold) for fold in range(2)])
        comp.ensemble(made, ".")
    assert digests[0] == digests[1]
    texts = [Path(f"submissions/{name}.csv").read_text() for name in ("none", "two")]
    assert texts[0] == texts[1]
    rows = list(csv.reader(texts[0].splitlines()))
    assert [row[0] for row in rows] == ["id", *(f"te{n:03d}" for n in range(TEST))]


def test_resume_a_killed_run_ends_with_the_same_weights(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(Path("input"), several=False)
    for name in ("whole", "killed"):
        comp.make_folds(config(name=name), ".")
    comp.train(config(name="whole"), ".", [0])
    every = {"train__checkpoint_minutes": 1e-9}
    with monkeypatch.context() as patch:
        kill_at(patch, 3)
        with pytest.raises(Killed):
            comp.train(config(name="killed", **every), ".", [0])
    comp.train(config(name="killed", **every), ".", [0])
    assert weights_of("whole", 0) == weights_of("killed", 0)


def lay_dicom(root: Path, *, centre: str | None = "40") -> None:
    """Slices with names of patients in them; the bright ones are of class 1."""
    rows: list[list[Any]] = []
    for part, count in (("train", TRAIN), ("test", TEST)):
        (root / part).mkdir(parents=True)
        for number in range(count):
            draw = np.random.default_rng(number + 100 * (part == "test"))
            stored = draw.normal(1024 + 40, 8, (20, 28))
            stored[5:12, 6:14] += 60 * (number % 2)
            own = {"RescaleSlope": "1", "RescaleIntercept": "-1024"}
            own |= {} if centre is None else {"WindowCenter": centre, "WindowWidth": "200"}
            content = dicom(stored.clip(0, 4095).astype(np.uint16), **own, packed=number % 2 == 1)
            (root / part / f"{part}{number}{'.dcm' if number % 3 else ''}").write_bytes(content)
            rows += [[f"{part}{number}", number % 2]] if part == "train" else []
    write_csv(root / "train.csv", [["id", "label"], *rows])
    tests = [[f"test{n}", 0] for n in range(TEST)]
    write_csv(root / "sample_submission.csv", [["id", "label"], *tests])


def test_a_dicom_series_is_checked_without_a_private_word_and_trained(workspace: Path) -> None:
    lay_dicom(Path("input"))
    made = config(name="ct", image={"size": SIDE, "channels": 2, "windows": [[40, 80], [40, 400]]})
    found = comp.check(made, ".")
    texts = [path.read_text(encoding="utf-8") for path in Path("checks").iterdir()]
    assert not any(value in text for text in texts for value in PRIVATE.values())
    assert "DICOM" in Path("checks/ct.json").read_text()
    assert "error" not in [*found.findings["level"]]
    kept = [path.read_bytes() for path in Path("cache").rglob("*") if path.is_file()]
    assert not any(v.encode() in content for content in kept for v in PRIVATE.values())
    comp.make_folds(made, ".")
    trained = comp.train(made, ".", [0])
    assert len(trained.history)


def test_slices_of_a_volume_are_images(workspace: Path) -> None:
    volumes = {f"case{n}": np.random.default_rng(n).integers(-900, 900, (28, 20, 6), np.int16)
               for n in range(3)}  # fmt: skip
    Path("input/train").mkdir(parents=True)
    Path("input/test").mkdir()
    for name, volume in volumes.items():
        Path(f"input/train/{name}.nii").write_bytes(nifti(volume))
        Path(f"input/test/{name}.nii").write_bytes(nifti(-volume))
    rows = [[f"{name}_{k}", name, k, k % 2] for name in volumes for k in range(6)]
    write_csv(Path("input/train.csv"), [["id", "case", "slice", "label"], *rows])
    write_csv(Path("input/test.csv"), [["id", "case", "slice"], *(row[:3] for row in rows)])
    write_csv(Path("input/sample_submission.csv"), [["id", "label"], *([r[0], 0] for r in rows)])
    data = {"root": "input", "id": "id", "target": "label", "group": "case", "test_csv": "test.csv"}
    data["files"] = ["{case}.nii#{slice}"]
    image = {"size": 32, "channels": 3, "bits": 16, "resize": "pad", "range": [-900, 900]}
    seen = []
    for pack in ("memmap", "encoded", "none"):
        seen.append(packed(config(data=data, image={**image, "pack": pack})))
    for train, test in seen[1:]:
        np.testing.assert_array_equal(train, seen[0][0])
        np.testing.assert_array_equal(test, seen[0][1])
    made = config(data=data, image=image)
    index = read_train(open_experiment(made))
    assert index.groups == tuple(row[1] for row in rows)
    assert len({*index.digests(Path("cache"))}) == 18
    comp.make_folds(made, ".")
    plan = comp.read_plan(made, ".")
    sides = {name: {*plan.frame.fold[plan.frame.index.str.startswith(name)]} for name in volumes}
    assert all(len(folds) == 1 for folds in sides.values())


def test_one_slice_in_both_sets_is_refused(workspace: Path) -> None:
    Path("input/train").mkdir(parents=True)
    Path("input/train/case.nii").write_bytes(nifti(np.zeros((28, 20, 6), np.int16)))
    write_csv(Path("input/train.csv"), [["id", "slice", "label"], ["a", 0, 0], ["b", 1, 1]])
    write_csv(Path("input/test.csv"), [["id", "slice"], ["x", 2], ["y", 1]])
    write_csv(Path("input/sample_submission.csv"), [["id", "label"], ["x", 0], ["y", 0]])
    data = {"root": "input", "id": "id", "target": "label", "files": ["case.nii#{slice}"]}
    made = config(data={**data, "test_images": "train", "test_csv": "test.csv"})
    with pytest.raises(DataError, match="1 training images are test images") as problem:
        read_train(open_experiment(made))
    assert "'b'" in str(problem.value)
    assert "'y'" in str(problem.value)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"channels": 4}, r"TIFF of 5 channels \(28 x 20, uint16\); image.channels asks for 4"),
        ({"channels": 3}, r"."),
        ({"channels": 5, "windows": "file"}, "TIFF that states no window"),
    ],
)
def test_channels_that_are_not_there_are_one_clear_error(
    workspace: Path, over: dict[str, Any], message: str
) -> None:
    lay(Path("input"), several=False)
    if over["channels"] == 3:  # the first page, as ever
        assert packed(config(image={"size": SIDE, **over}))[0].shape[-1] == 3
        return
    with pytest.raises(CompError, match=message):
        packed(config(image={"size": SIDE, **over}))


def test_an_image_that_was_set_aside_is_grey_in_every_channel(workspace: Path) -> None:
    lay(Path("input"), several=False)
    Path("input/test/te003.tif").write_bytes(b"II*\x00torn")
    made = config()
    comp.check(made, ".", skip_unreadable=True)
    assert np.unique(packed(made)[1][3]).tolist() == [128 * 257]


def test_floats_are_measured_and_each_channel_may_have_its_own_range(workspace: Path) -> None:
    for part, count in (("train", 4), ("test", 2)):
        Path(f"input/{part}").mkdir(parents=True)
        for number in range(count):
            planes = np.random.default_rng(number).random((20, 28, 2)).astype(np.float32)
            planes[0, 0], planes[1, 1] = 0, 1
            planes = planes * [2.0, 50.0] + [0.0, -40.0]
            path = Path(f"input/{part}/{part}{number}.npy")
            path.write_bytes(npy(planes.astype(np.float32)))
    rows = [[f"train{n}", n % 2] for n in range(4)]
    write_csv(Path("input/train.csv"), [["id", "label"], *rows])
    write_csv(Path("input/sample_submission.csv"), [["id", "label"], ["test0", 0], ["test1", 0]])
    for how, expected in (("auto", (-40.0, 10.0)), ("channels", ((0.0, 2.0), (-40.0, 10.0)))):
        made = config(image={"size": SIDE, "channels": 2, "bits": 16, "range": how})
        index = read_train(open_experiment(made))
        assert with_range(made.image, index, Path("cache")).range == expected
