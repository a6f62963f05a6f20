"""Whether a fold is finished, by its manifest, and on what it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comp.config.workspace import RunDir
from comp.core import checksums, files
from comp.core.errors import DamagedError, RunError
from comp.core.progress import note
from comp.data.index.index import Index
from comp.train.checkpoints import checkpoint


def finished(run: RunDir, plan: str, epochs: int = 0, which: str = "best") -> dict[str, Any] | None:
    """The manifest of a fold that was trained for `epochs` at least, or out of patience; or None.

    which: the checkpoint that predicts. Raises RunError when the fold is of another plan,
    DamagedError when the manifest cannot be read, or `best.pt` or that checkpoint is not the file
    that it names.
    """
    if not run.done.is_file():
        return None
    manifest = files.read_json(run.done, DamagedError)
    if manifest.get("plan") != plan:
        raise RunError(
            f"{run.path}: trained with plan {str(manifest.get('plan'))[:8]}, the plan is now "
            f"{plan[:8]}. Bring the old plan back, or train under another `name`, or start the "
            "fold over with `comp train --restart`."
        )
    done = manifest.get("epochs")
    if not isinstance(done, int):
        raise DamagedError(f"{run.done}: damaged")
    if done < epochs and not manifest.get("early"):
        return None
    for name in sorted({"best", which} - {"average"}):
        path = run.checkpoint(name)
        if not path.is_file() or checksums.digest_file(path) != manifest.get(f"{name}_sha256"):
            raise DamagedError(f"{path}: not the file that {run.done.name} names")
    return manifest


def refuse_other_images(
    run: RunDir, manifest: dict[str, Any] | None, index: Index, cache: Path
) -> None:
    """Do nothing for a fold that was trained on what the image files of its training index hold
    now, or that is not finished (no manifest).

    Earlier versions noted the sizes only, in the checkpoint: these are compared, and it is told.
    Raises RunError for other images.
    """
    if manifest is None:
        return
    then, now = manifest.get("images"), index.contents(cache)
    if then is None:
        then, now = checkpoint.load(run.best).get("content", ""), index.file_sizes()
        note(
            f"{run.path.parent}: trained by an earlier version, which noted the sizes of images "
            "only. Where one was replaced by another of the same size, use `comp train --restart`"
        )
    if "" not in (then, now) and then != now:
        raise RunError(
            f"{run.path}: trained on other image files ({then[:8]}, now {now[:8]}): some were "
            "added, removed or replaced since. Bring the old ones back, or train under another "
            "`name`, or start the fold over with `comp train --restart`."
        )
