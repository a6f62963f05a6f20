"""What a bundle holds, and how it is read: without the plan, the table and the training images.

    <name>/bundle.json     members, weights, vote, rule, classes, scores, versions; written last
    <name>/config.yaml     the resolved config of the ensemble
    <name>/runs/<run>.yaml the resolved config of each run
    <name>/members/        the weights of each network, as safetensors
    <name>/sample.csv      the first rows of the sample submission, for its form
    <name>/plugins/        the files of `plugins`
    <name>/MODEL_CARD.md   what it is made from, for people

Nothing in it is a pickle, and nothing is read that does not have the digest of the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from comp.config.loading import load_config
from comp.config.plugins import load_plugins
from comp.config.schema import Config
from comp.core import checksums, files
from comp.core.errors import DamagedError, RunError, first, pick
from comp.data.images.deep import Span
from comp.data.images.pixel_form import as_span
from comp.ensemble.blend import Blend
from comp.ensemble.compare import Scores
from comp.ensemble.prior import Shift
from comp.ensemble.votes import VOTES
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric
from comp.tasks.of_config import task_of
from comp.tasks.official.of_config import metric_of

if TYPE_CHECKING:
    from comp.models.device import Device
    from comp.models.networks import Net

Array = np.ndarray[Any, Any]

MANIFEST, CONFIG, SAMPLE = "bundle.json", "config.yaml", "sample.csv"
CARD = "MODEL_CARD.md"  # yours to edit, so it has no digest
KIND, VERSION = "comp bundle", 1
ONNX = ".onnx"  # a member beside its weights


@dataclass(frozen=True)
class Member:
    """One network of a bundle.

    `run`        whose config it has; `fold`: of it
    `file`       its weights, below the folder
    `weight`     in the vote
    `tta`        the views that it sees
    `mean, std`  of the channels, in units of [0, 1]
    `span`       the values of deep images that become 0 and 255, or None
    `facts`      what its checkpoint was, for the manifest of a submission
    `onnx`       the network as ONNX, below the folder, or None
    """

    run: str
    fold: int
    file: str
    weight: float
    tta: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    span: Span = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    onnx: str | None = None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.run} fold {self.fold}"


@dataclass(frozen=True)
class Step:
    """What is left of an ensemble when runs are left out: their weights, rule and honest score.

    `rule`  as of `comp.ensemble.evidence.Fit`; (R, C) where each run has its own
    """

    runs: tuple[str, ...]
    weights: tuple[float, ...]
    rule: Array
    per_member: bool
    honest: float | None


@dataclass(frozen=True)
class SampleForm:
    """How the rows of an image look in the sample submission.

    `path`    the first rows of it; None: there is no sample
    `block`   what stands before and after the id of the image in each of its rows
    `suffix`  whether ids have the suffix of their file
    """

    path: Path | None
    block: tuple[tuple[str, str], ...] = (("", ""),)
    suffix: bool = False


@dataclass(frozen=True)
class Bundle:
    """An ensemble that answers new images.

    `configs`  run -> its config; `config` is that of the ensemble
    `prior`    (C,) what stands for the probabilities of an image that cannot be read
    `steps`    what is left when runs are left out, one after the other; the first is the whole
    `manifest`  everything that is known, as plain values
    """

    folder: Path
    config: Config
    task: Task
    metric: Metric
    classes: tuple[str, ...]
    codes: tuple[str, ...]
    members: tuple[Member, ...]
    configs: Mapping[str, Config]
    vote: str
    rule: Array
    scores: Scores
    shift: Shift | None
    prior: Array
    sample: SampleForm
    steps: tuple[Step, ...]
    manifest: Mapping[str, Any]

    @property
    def plan(self) -> str:
        """The fingerprint of the fold plan."""
        return str(self.manifest["plan"])

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs, in the order of their members."""
        return tuple(dict.fromkeys(member.run for member in self.members))

    @property
    def suffix(self) -> str:
        """Of the submissions that it writes."""
        return {"masks": ".zip", "coco": ".coco.json"}.get(self.config.submission.write, ".csv")

    def blend(self) -> Blend:
        """How the members become an answer."""
        return Blend(
            tuple(member.name for member in self.members),
            pick(VOTES, self.vote, "vote"),
            tuple(member.weight for member in self.members),
            self.rule,
            self.scores,
            weigher=str(self.manifest["weigher"]),
        )

    def net(self, member: Member, device: Device, *, engine: str = "torch") -> Net:
        """The network of a member, ready to predict; engine: what runs it, torch, onnx or
        openvino.

        RunError where its file is damaged.
        """
        from comp.inference.predict import net_of
        from comp.models.weight_files import read_tensors

        if engine != "torch":
            return self._by_onnx(member, device, engine)
        path = self._whole(member.file)
        saved = {
            "classes": self.classes,
            "model": read_tensors(path),
            "fold": member.fold,
            "mean": member.mean,
            "std": member.std,
        }
        return net_of(saved, self.configs[member.run], self.task, device)

    def _by_onnx(self, member: Member, device: Device, engine: str) -> Net:
        import torch

        from comp.models.networks import Net, for_images
        from comp.models.onnx_engine import open_forward

        assert member.onnx is not None, "the member has an ONNX file"
        forward = open_forward(engine, self._whole(member.onnx), torch.get_num_threads())
        net = Net(torch.nn.Identity(), device, member.mean, member.std, fast=forward)
        return for_images(net, self.configs[member.run].image)

    def _whole(self, file: str) -> Path:
        """The path of a file whose content is that of the manifest."""
        path = self.folder / file
        if not path.is_file() or checksums.digest_file(path) != self.manifest["files"].get(file):
            raise RunError(f"{path}: damaged: its content does not match the manifest")
        return path


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a folder; its plugins are loaded, the weights are read when they are asked for.

    Raises RunError for a folder that is none, DamagedError for one that is not whole.
    """
    manifest = _manifest(folder)
    config = load_config(folder / CONFIG)
    config = load_plugins(config, folder)
    configs = {name: load_config(folder / path) for name, path in manifest["runs"].items()}
    about = manifest["sample"]
    return Bundle(
        folder=folder,
        config=config,
        task=task_of(config),
        metric=metric_of(config, folder, task_of(config)),
        classes=tuple(manifest["classes"]),
        codes=tuple(manifest["codes"]),
        members=tuple(_member(entry, manifest.get("onnx", {})) for entry in manifest["members"]),
        configs=configs,
        vote=str(manifest["vote"]),
        rule=np.asarray(manifest["rule"], dtype=np.float64),
        scores=Scores(**{n: _score(v) for n, v in manifest["scores"].items()}),
        shift=_shift(manifest["shift"]),
        prior=np.asarray(manifest["prior"], dtype=np.float32),
        sample=SampleForm(
            None if about is None else folder / SAMPLE,
            tuple((str(a), str(b)) for a, b in about["block"]) if about else (("", ""),),
            bool(about and about["suffix"]),
        ),
        steps=tuple(_step(entry) for entry in manifest["steps"]),
        manifest=manifest,
    )


def _manifest(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).is_file():
        inside = sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))
        hint = f" It holds the bundles {first(inside)}." if inside else ""
        raise RunError(
            f"{folder}: no bundle ({MANIFEST} is missing).{hint} `comp bundle NAME` makes one"
        )
    manifest = files.read_json(folder / MANIFEST, DamagedError)
    if manifest.get("kind") != KIND:
        raise DamagedError(f"{folder / MANIFEST}: not the manifest of a bundle")
    if manifest.get("version") != VERSION:
        raise DamagedError(
            f"{folder / MANIFEST}: a bundle of form {manifest.get('version')}, this comp reads "
            f"{VERSION}. Use the comp that made it: {manifest.get('versions', {}).get('comp')}"
        )
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise DamagedError(f"{path}: missing; copy the bundle again")
        if not name.startswith("members/") and checksums.digest_file(path) != digest:
            raise DamagedError(f"{path}: changed since the bundle was made; make or copy it again")
    return manifest


def _member(entry: Mapping[str, Any], onnx: Mapping[str, str]) -> Member:
    span = entry["span"]
    return Member(
        run=entry["run"],
        fold=int(entry["fold"]),
        file=entry["file"],
        weight=float(entry["weight"]),
        tta=entry["tta"],
        mean=tuple(entry["mean"]),
        std=tuple(entry["std"]),
        span=as_span(span),
        facts=entry["facts"],
        onnx=onnx.get(entry["file"]),
    )


def _step(entry: Mapping[str, Any]) -> Step:
    return Step(
        tuple(entry["runs"]),
        tuple(entry["weights"]),
        np.asarray(entry["rule"], dtype=np.float64),
        bool(entry["per_member"]),
        entry["honest"],
    )


def _shift(entry: Mapping[str, Any] | None) -> Shift | None:
    if entry is None:
        return None
    before, after = np.asarray(entry["before"]), np.asarray(entry["after"])
    return Shift(before, after, bool(entry["estimated"]))


def _score(value: float | None) -> float:
    return float("nan") if value is None else value


def plain_array(values: Array | Sequence[float]) -> Any:
    """Numbers for a manifest; JSON gives back each float64 as it was."""
    return np.asarray(values, dtype=np.float64).tolist()
