from pathlib import Path

import pytest
from bag_toys import bag_tree, lay_bags

from comp.config.loading import make_config
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.reporting.report import report_run
from comp.stages.train import train

pytestmark = pytest.mark.slow


def page(**over: object) -> str:
    lay_bags(Path("input"))
    experiment = open_experiment(make_config(bag_tree(train__epochs=1, **over)))
    make_folds(experiment)
    train(experiment, "all")
    return report_run(experiment).path.read_text()


def test_a_report_shows_which_images_of_a_bag_counted(workspace: Path) -> None:
    text = page()
    part = text[text.index('id="bags"') :]
    part = part[: part.index("<h2", 10)]
    assert "its weight in the pool; the weights of a bag sum to 1" in part
    assert part.count("data:image/jpeg") >= 8
    assert "p00: " in text
    assert "answered" in part


def test_there_is_no_such_part_where_images_are_channels(workspace: Path) -> None:
    assert 'id="bags"' not in page(model__pool_bag="channels")
