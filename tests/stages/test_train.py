"""Folds are trained to their end, found finished, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import write_csv

from comp.config.loading import make_config
from comp.core.errors import ConfigError, DataError, Interrupted, PlanError, RunError, UsageError
from comp.models.device import Device
from comp.stages import train as stage
from comp.stages.experiment import Experiment, open_experiment, read_plan, read_train
from comp.stages.folds import make_folds
from comp.stages.train import Trainer, open_job, train
from comp.train.hardware.world import World
from comp.train.job import Job
from comp.train.stop import Stop

Toy = Callable[..., dict[str, Any]]
FOLD = Path("runs/toy_binary/fold_0")


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that would be trained."""
    made: list[Job] = []

    def train_fold(job: Job) -> dict[str, Any]:
        made.append(job)
        return {"fold": job.fold}

    monkeypatch.setattr(stage, "train_fold", train_fold)
    return made


def test_the_folds_that_are_named_are_trained_in_order(planned: Toy, jobs: list[Job]) -> None:
    done = train(opened(planned()), "1,0")
    assert [(fold.fold, fold.manifest, fold.before) for fold in done] == [
        (0, {"fold": 0}, False),
        (1, {"fold": 1}, False),
    ]
    assert [job.run.path for job in jobs] == [FOLD, FOLD.with_name("fold_1")]
    assert all((job.run.path / "config.yaml").is_file() for job in jobs)


def test_batch_norms_of_several_cpus_are_not_synchronized(planned: Toy) -> None:
    experiment = opened(planned(train__sync_norm=True))
    index = read_train(experiment)
    trainer = Trainer(experiment, index, read_plan(experiment, index), Stop(), world=World(0, 2))
    with pytest.raises(ConfigError, match=r"train\.sync_norm: torch synchronizes .* CUDA devices"):
        trainer.job(0, experiment.workspace.fold(0))


def test_a_job_has_the_rows_of_its_fold(planned: Toy) -> None:
    experiment = opened(planned())
    one, other = (open_job(experiment, number) for number in (0, 1))
    assert (one.valid_rows == other.train_rows).all()
    assert sorted([*one.train_rows, *one.valid_rows]) == list(range(24))
    assert (one.target == [number % 2 for number in range(24)]).all()
    assert one.classes == ("0", "1")
    assert one.images.shape == (24, 8, 8, 3)
    assert one.plan == json.loads(Path("folds/toy_binary.json").read_text())["fingerprint"]
    assert not FOLD.exists()
    with pytest.raises(UsageError, match="there is no fold 2; the plan has folds 0..1"):
        open_job(experiment, 2)


def test_without_a_plan_the_command_that_makes_one_is_named(planned: Toy) -> None:
    Path("folds/toy_binary.csv").unlink()
    with pytest.raises(PlanError, match="comp folds make"):
        train(opened(planned()), "0")


def test_a_subset_is_trained_in_a_folder_of_its_own_and_said(
    planned: Toy, jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    train(opened(planned(train__subset=8)), "0")
    (job,) = jobs
    assert job.run.path == Path("runs/toy_binary_subset8/fold_0")
    assert len(job.train_rows) + len(job.valid_rows) == 8
    assert "a subset of 8 of 24 images; class shares are at most 0.00% off" in (
        capsys.readouterr().err
    )


def test_a_recipe_that_mirrors_letters_is_warned_of(
    toy: Toy, jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    tree = toy("multiclass", augment__recipe="flips")
    rows = [[f"{number:05d}", "bdp"[number % 3]] for number in range(24)]
    write_csv(Path("input/train.csv"), [["id", "label"], *rows])
    make_folds(opened(tree))
    train(opened(tree), "0")
    assert "augment.recipe: flips mirrors images, and the classes may be" in capsys.readouterr().err
    train(opened({**tree, "name": "light", "folds": {"count": 2, "plan": tree["name"]},
                  "augment": {"recipe": "light"}}), "0")  # fmt: skip
    assert "mirrors" not in capsys.readouterr().err


def test_a_finished_fold_is_skipped_and_starting_over_empties_its_folder(
    finished: Toy, jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = train(opened(finished()), "0")
    assert found.before
    assert found.manifest == json.loads((FOLD / "done.json").read_text())
    assert "fold 0: finished before, skipped" in capsys.readouterr().err
    assert jobs == []
    (found,) = train(opened(finished(train__lr=0.5)), "0", restart=True)
    assert not found.before
    assert not (FOLD / "best.pt").exists()
    assert "lr: 0.5" in (FOLD / "config.yaml").read_text()


def test_no_fold_is_trained_where_a_later_one_is_of_another_plan(
    finished: Toy, jobs: list[Job]
) -> None:
    (FOLD / "done.json").unlink()
    later = FOLD.with_name("fold_1") / "done.json"
    later.write_text(json.dumps({**json.loads(later.read_text()), "plan": "f" * 64}))
    with pytest.raises(RunError, match="trained with plan ffffffff, the plan is now "):
        train(opened(finished()), "all")
    assert jobs == []


def test_the_time_of_the_folds_to_come_is_counted(finished: Toy, jobs: list[Job]) -> None:
    """Of a fold that stopped early, none; of one that is to be trained longer, the rest."""
    experiment = opened(finished(train__epochs=5))
    stop = Stop()
    later: list[int] = []

    def seen(job: Job) -> dict[str, Any]:
        later.append(job.stop.later_epochs)
        return {}

    stage.train_fold = seen  # `jobs` puts it back
    train(experiment, "all", stop=stop)
    done = FOLD.with_name("fold_1") / "done.json"
    done.write_text(json.dumps({**json.loads(done.read_text()), "early": True}))
    train(experiment, "0,1", stop=stop)
    assert later == [3, 0, 0]


def test_a_stop_that_was_asked_for_ends_before_the_next_fold(planned: Toy, jobs: list[Job]) -> None:
    stop = Stop()
    stop.signal = 2
    with pytest.raises(Interrupted, match="before fold 0"):
        train(opened(planned()), "all", stop=stop)
    assert jobs == []


@pytest.mark.parametrize(("restart", "words"), [(False, ""), (True, " without --restart")])
def test_the_way_to_go_on_never_starts_over(
    planned: Toy, monkeypatch: pytest.MonkeyPatch, restart: bool, words: str
) -> None:
    def leave(job: Job) -> None:
        job.stop.signal = 2
        job.stop.leave("fold 0")

    monkeypatch.setattr(stage, "train_fold", leave)
    with pytest.raises(Interrupted, match=f"the same command{words} continues there"):
        train(opened(planned()), "0", restart=restart)


def plan_of(experiment: Experiment) -> str:
    return str(json.loads(experiment.workspace.plan_json.read_text())["fingerprint"])


def write_sample(*rows: str) -> None:
    Path("input/sample_submission.csv").write_text("\n".join([*rows, ""]))


IDS = [f"t{number:03d}" for number in range(6)]


def test_a_sample_that_fits_neither_classes_nor_images_is_refused_before_the_first_epoch(
    planned: Toy, jobs: list[Job]
) -> None:
    tree = planned()
    write_sample("id,lable,other", *(f"{name},0,0" for name in ["nobody", *IDS[1:]]))
    with pytest.raises(DataError) as caught:
        train(opened(tree), "0")
    message = str(caught.value)
    assert "1 of 6 ids have no image in input/test: 'nobody'" in message
    assert "its columns do not fit binary" in message
    assert (jobs, FOLD.exists()) == ([], False)


def test_a_sample_of_another_number_of_images_is_refused_unless_chosen(
    planned: Toy, jobs: list[Job]
) -> None:
    tree = planned()
    write_sample("id,label", *(f"{name},0" for name in IDS[:4]))
    with pytest.raises(DataError, match="asks for 4 images, input/test holds 6"):
        train(opened(tree), "0")
    train(opened({**tree, "submission": {"extra_images": "ignore"}}), "0")
    assert len(jobs) == 1


def test_training_needs_no_test_set_and_no_sample(
    planned: Toy, jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    tree = planned()
    Path("input/sample_submission.csv").unlink()
    train(opened(tree), "0")
    assert "no such file" in capsys.readouterr().err
    write_sample("id,nonsense,other", "x,0,0")
    shutil.rmtree("input/test")
    train(opened(tree), "1")
    assert len(jobs) == 2


@pytest.mark.parametrize(
    ("over", "cuda", "said"),
    [
        ({}, False, "cpu; 2 workers, 8 images at a time (train.batch_size), augmented by the CPU"),
        (
            {"train__micro_batch": "auto"},
            True,
            "Fake; 2 workers, 8 images at a time (train.micro_batch: auto, at most), augmented by "
            "the device",
        ),
        (
            {"train__micro_batch": 4, "train__compile": "on", "augment__backend": "cpu"},
            True,
            "Fake; 2 workers, 4 images at a time (train.micro_batch), augmented by the CPU, "
            "compiled",
        ),
    ],
)
def test_the_settings_are_said_in_a_line(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, over: dict[str, Any], cuda: bool, said: str
) -> None:
    monkeypatch.setattr(Device, "details", lambda self: "Fake" if self.cuda else "cpu")
    device = Device(torch.device("cuda" if cuda else "cpu"), "fp32", None, scaled=False)
    tree = toy("multiclass", train__batch_size=8, train__workers=2, **over)
    assert stage._settings(make_config(tree), device) == said


def test_images_stay_on_the_device_for_all_folds(
    planned: Toy, jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    over = {"image__resident": "on", "augment__backend": "device"}
    train(opened(planned(**over)), "0,1")
    assert jobs[0].resident is jobs[1].resident
    assert jobs[0].resident is not None
    assert (jobs[0].resident.images.numpy() == jobs[0].images[:]).all()
    assert capsys.readouterr().err.count("24 images stay on the device (0.00 GiB)") == 1
    jobs[0].resident.release()
    shutil.rmtree("runs")
    train(opened(planned(**over)), "0")
    assert jobs[2].resident is not None
    assert not jobs[2].resident.released
