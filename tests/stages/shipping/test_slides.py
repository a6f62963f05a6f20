"""`comp slides`: from trained folds to answers for images that are too large for memory."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from toys import lay_masks, paint, toy_tree, write_csv

import comp
from comp.config.loading import make_config
from comp.core.errors import ConfigError, RunError, UsageError
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.shipping.slides import answer_slides


def slide(path: Path, tiles: np.ndarray) -> None:
    """A slide of tiles of 24 pixels, each grey of one brightness with some noise."""
    draw = np.random.default_rng(0)
    pixels = np.kron(tiles, np.ones((24, 24)))[..., None] + draw.normal(0, 6, (1, 1, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels.clip(0, 255).astype(np.uint8), photometric="rgb", tile=(32, 32))


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """Two folds that tell dark images (0) from brighter ones (1)."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for number in range(16):
        paint(Path(f"input/train/{number:05d}.png"), 60 + 90 * (number % 2), number)
        rows.append([f"{number:05d}", number % 2])
    write_csv(Path("input/train.csv"), [["id", "label"], *rows])
    paint(Path("input/test/t.png"), 100, 99)
    write_csv(Path("input/sample_submission.csv"), [["id", "label"], ["t", 0]])
    config = make_config(toy_tree("binary", train__epochs=1))
    comp.make_folds(config, ".")
    comp.train(config, ".")
    return open_experiment(config)


def test_slides_are_answered_once_and_again_when_they_change(trained: Experiment) -> None:
    slide(Path("s/a.tif"), np.array([[60, 60, 240], [60, 240, 240]]))
    slide(Path("s/b.svs"), np.full((2, 3), 240.0))
    found = answer_slides(trained, Path("s"))
    assert (found.ids, found.seen, found.tiles) == (("a", "b"), (3, 0), (6, 6))
    assert found.probs is not None
    assert np.isnan(found.probs[1]).all()
    lines = Path("slides/toy_binary/answers.csv").read_text().splitlines()
    assert lines[0] == "id,1,tiles_seen,tiles"
    assert lines[2] == "b,,0,6"
    note = Path("slides/toy_binary/a.json")
    before = note.stat().st_mtime_ns
    answer_slides(trained, Path("s"))
    assert note.stat().st_mtime_ns == before
    slide(Path("s/a.tif"), np.array([[60, 150, 240], [60, 240, 240]]))
    answer_slides(trained, Path("s"))
    assert note.stat().st_mtime_ns != before
    assert json.loads(note.read_text())["basis"]["pool"] == "mean"


def test_what_cannot_be_is_refused(trained: Experiment) -> None:
    slide(Path("s/a.tif"), np.array([[60.0]]))
    with pytest.raises(ConfigError, match="--pool"):
        answer_slides(trained, Path("s"), pool="median")
    with pytest.raises(UsageError, match="--overlap is from 0 to 0.75"):
        answer_slides(trained, Path("s"), overlap=0.9)
    slide(Path("s/deep/a.svs"), np.array([[60.0]]))
    with pytest.raises(UsageError, match="slides of one name: 'a'"):
        answer_slides(trained, Path("s"))
    Path("runs/toy_binary/fold_1/done.json").unlink()
    with pytest.raises(RunError, match="unfinished: 'fold_1'"):
        answer_slides(trained, Path("s/a.tif"))


def test_a_mask_has_the_size_of_its_slide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lay_masks(Path("input"), 8)
    config = make_config(
        toy_tree("segmentation", train__epochs=1, data={"root": "input", "layout": "masks"})
    )
    comp.make_folds(config, ".")
    comp.train(config, ".")
    slide(Path("s/a.tif"), np.array([[60, 60, 240, 240], [60, 60, 240, 240]]))
    found = answer_slides(open_experiment(config), Path("s"))
    mask = tifffile.imread("slides/toy_segmentation/a.tif")
    assert (mask.shape, mask.dtype, found.probs) == ((48, 96), np.uint8, None)
    assert (mask[:, 80:] == 0).all()
    assert found.seen[0] < found.tiles[0]
    assert [path.name for path in Path("slides/toy_segmentation").glob("*.part")] == []


def test_the_command_imports_no_library_that_it_does_not_need() -> None:
    """Each costs tens of megabytes beside a slide: pandas, and albumentations with scipy."""
    package = Path(comp.__file__).parent
    seen, todo, found = set[str](), ["comp.stages.shipping.slides"], dict[str, str]()
    while todo:
        name = todo.pop()
        path = package.parent.joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in seen or not file.is_file():
            continue
        seen.add(name)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:  # not inside of functions
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = str(node.module)
                names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
            else:
                continue
            todo += [one for one in names if one.startswith("comp.")]
            found |= {one.split(".")[0]: name for one in names}
    assert len(seen) > 50, "the imports are followed"
    heavy = {"pandas", "albumentations", "scipy", "sklearn", "matplotlib"}
    assert {name: by for name, by in found.items() if name in heavy} == {}
