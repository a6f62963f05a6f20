"""Folds as tasks of a real Ray cluster of two nodes on this machine, one of which is killed."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError, UsageError
from comp.stages.experiment import open_experiment
from comp.stages.runners import ray_tasks
from comp.stages.runners.table import Where, train_on
from comp.stages.train import train

Planned = Callable[..., dict[str, Any]]
FILES = ("last.pt", "best.pt", "history.csv")
STORE = 80 << 20  # bytes of Ray's own memory per node, the least that it takes


def test_without_ray_the_line_to_install_is_named(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    experiment = open_experiment(make_config(planned()))
    with pytest.raises(ConfigError, match=r'--on ray needs Ray: pip install "\.\[ray\]"'):
        train_on(Where("ray"), experiment, "0")


def test_a_task_asks_for_a_gpu_where_there_are_some() -> None:
    asked = ray_tasks._asked({}, {"CPU": 4, "GPU": 2})
    assert asked == {"num_gpus": 1, "num_cpus": 1, "retries": 3}
    assert ray_tasks._asked({"cpus": "2"}, {"CPU": 4})["num_gpus"] == 0


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"memory": "1"}, UsageError, "--ask memory: a Ray task is asked for gpus, cpus, retries"),
        ({"cpus": "many"}, UsageError, "gpus, cpus and retries are numbers"),
        ({"gpus": "1"}, ConfigError, "a task asks for 1 GPU, the cluster has 0"),
    ],
)
def test_what_a_cluster_cannot_give_is_told(options: Any, kind: Any, said: str) -> None:
    with pytest.raises(kind, match=said):
        ray_tasks._asked(options, {"CPU": 2})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray
def test_a_node_that_is_killed_loses_nothing(
    planned: Planned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    experiment = open_experiment(make_config(planned(train__epochs=30)))
    train(experiment, "all")
    alone = content()
    shutil.rmtree("runs")
    own = {"num_cpus": 1, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**own, "include_dashboard": False})
    try:
        node = cluster.add_node(**own)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)

        def kill() -> None:
            end = time.monotonic() + 300
            while not all(Path(f"runs/toy_binary/fold_{k}/last.1.pt").exists() for k in (0, 1)):
                assert time.monotonic() < end, "waited in vain"
                time.sleep(0.02)
            cluster.remove_node(node, allow_graceful=False)

        killer = threading.Thread(target=kill)
        killer.start()
        done = train_on(Where("ray"), experiment, "all")
        killer.join()
    finally:
        ray.shutdown()
        cluster.shutdown()
    said = capsys.readouterr().err
    assert "goes on elsewhere from its last checkpoint (retry 1 of 3)" in said
    assert [one.fold for one in done] == [0, 1]
    assert content() == alone


def content() -> list[bytes]:
    return [(Path(f"runs/toy_binary/fold_{k}") / n).read_bytes() for k in (0, 1) for n in FILES]
