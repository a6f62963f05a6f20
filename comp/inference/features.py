"""The features of a network for the images of one index, made once and mapped from the disk.

    cache/features-<key>/features.npy   (N, D) float32, in the order of the ids
    .../manifest.json                   what they were made from, and digests; written last

The key follows from the network (name, weights), the image settings, the view and the content of
the image files. They are made in pieces: a process that was killed goes on after the last one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from comp.core import checksums, files, locks
from comp.core.errors import ModelError, PredictionsError
from comp.core.progress import say, track
from comp.data.cache.store import Images
from comp.data.loader.batches import eval_batches
from comp.inference.pieces import Pieces, remove_pieces
from comp.inference.predictions import file_digest
from comp.inference.views import views_of
from comp.models.networks import Net

Array = np.ndarray[Any, Any]

_FEATURES, _MANIFEST, _LOCK = "features.npy", "manifest.json", "lock"
_PIECE_ROWS = 512


@dataclass(frozen=True)
class Features:
    """Features of the images of an index.

    `values`   (N, D) float32, mapped from the file
    `weights`  a digest of the weights of the network that made them
    `folder`   where they lie
    """

    values: Array
    weights: str
    folder: Path


@dataclass(frozen=True)
class Wanted:
    """Which features are wanted.

    `ids`     (N,) the images, in the order of the rows
    `about`   what they are made from, as plain values; the key is their digest
    `view`    one of `comp.inference.views.VIEWS`
    """

    ids: Sequence[str]
    about: dict[str, Any]
    view: str

    @property
    def key(self) -> str:
        """A digest of what they are made from."""
        lines = [f"{name} {value!r}" for name, value in sorted(self.about.items())]
        return checksums.digest_lines([*lines, self.view, checksums.digest_lines(self.ids)])


def find_features(wanted: Wanted, cache: Path) -> Features | None:
    """Features that are there already, whole; None where there are none, or damaged ones."""
    folder = cache / f"features-{wanted.key[:16]}"
    try:
        manifest = files.read_json(folder / _MANIFEST, PredictionsError)
        if manifest["key"] != wanted.key:
            return None
        if file_digest(folder / _FEATURES) != manifest["features_sha256"]:
            say(f"{folder / _FEATURES}: damaged; made again")
            return None
        values = np.load(folder / _FEATURES, mmap_mode="r", allow_pickle=False)
        return Features(values, str(manifest["weights_sha256"]), folder)
    except (PredictionsError, OSError, ValueError, KeyError):
        return None


def make_features(
    wanted: Wanted,
    cache: Path,
    net: Callable[[], Net],
    images: Callable[[], Images],
    batch_size: int,
) -> Features:
    """The features: from the cache, or made and written there, by one process at a time.

    net, images: called where something is to be made. Raises ModelError for a network whose
    features are no vector.
    """
    found = find_features(wanted, cache)
    if found is not None:
        return found
    folder = cache / f"features-{wanted.key[:16]}"
    with locks.writing(folder, name=_LOCK, wait=True, keep=False):
        found = find_features(wanted, cache)  # another process may have made them meanwhile
        if found is None:
            _write(folder, wanted, net(), images(), batch_size)
        files.sweep(folder, alone=True)
        remove_pieces(folder)
    found = find_features(wanted, cache)
    if found is None:
        raise PredictionsError(f"{folder}: cannot be read back. Run the same command again")
    return found


def weights_digest(net: Net) -> str:
    """SHA-256 over the names and the values of all tensors of a network."""
    state = net.module.state_dict().items()
    return checksums.digest_lines(
        f"{name} {hashlib.sha256(value.cpu().contiguous().numpy().tobytes()).hexdigest()}"
        for name, value in state
    )


def _write(folder: Path, wanted: Wanted, net: Net, images: Images, batch_size: int) -> None:
    weights = weights_digest(net)
    pieces = Pieces(folder, checksums.digest_lines([wanted.key, weights, str(batch_size)]))
    pieces.sweep()
    step = batch_size * max(1, _PIECE_ROWS // batch_size)
    starts = range(0, len(wanted.ids), step)
    done = sum(pieces.there(start) for start in starts)
    if done:
        say(f"features: {done} of {len(starts)} parts were there already")
    for start in track(starts, len(starts), f"features of {len(wanted.ids)} images"):
        if pieces.read(start) is None:
            rows = np.arange(start, min(start + step, len(wanted.ids)))
            pieces.write(start, _features(net, images, rows, wanted.view, batch_size))
    with files.replacing(folder / _FEATURES) as beside:
        width = _whole(pieces, 0, folder).shape[1]
        with beside.open("wb") as out:
            head = {"descr": "<f4", "fortran_order": False, "shape": (len(wanted.ids), width)}
            np.lib.format.write_array_header_1_0(out, head)
            for start in starts:
                out.write(_whole(pieces, start, folder).tobytes())
        files.remove(folder / _MANIFEST)
    manifest = {
        "key": wanted.key,
        "about": wanted.about,
        "view": wanted.view,
        "rows": len(wanted.ids),
        "columns": width,
        "ids_sha256": checksums.digest_lines(wanted.ids),
        "weights_sha256": weights,
        "features_sha256": checksums.digest_file(folder / _FEATURES),
    }
    files.write_json(folder / _MANIFEST, manifest)


def _whole(pieces: Pieces, start: int, folder: Path) -> Array:
    piece = pieces.read(start)
    if piece is None:
        raise PredictionsError(f"{folder}: a part was removed meanwhile; run the command again")
    return piece


@torch.inference_mode()
def _features(net: Net, images: Images, rows: Array, view: str, batch_size: int) -> Array:
    """(n, D) float32. Raises ModelError where the network gives no vector, or no finite one."""
    (turn,) = views_of(view)
    out = []
    for _, batch in eval_batches(images, rows, batch_size):
        found = net.logits(turn.augment_image(net.to_device(batch))).float().cpu().numpy()
        if found.ndim != 2 or not np.isfinite(found).all():
            what = f"of shape {found.shape}" if found.ndim != 2 else "that are not finite"
            raise ModelError(
                f"model.name: {type(net.module).__name__} gives features {what}; a probe needs one "
                "vector per image. Use another network"
            )
        out.append(found)
    return np.concatenate(out)
