"""The files that a judge's machine runs, made from templates."""

from __future__ import annotations

from collections.abc import Sequence

from comp import __version__
from comp.bundles.rendering import render
from comp.bundles.targets.target import Order


def run_script(
    order: Order,
    *,
    bundle: Sequence[str],
    data: Sequence[str],
    out: str,
    wheels: Sequence[str] = (),
) -> str:
    """The Python script that answers the images there.

    bundle, data, wheels: where they may be, relative to the script or absolute; the first that is
    there counts. Without wheels the machine has every package. out: the submission.
    """
    return render(
        "run.py",
        version=__version__,
        bundle=[*bundle],
        wheels=[*wheels],
        data=[*data],
        images=order.images,
        samples=[*order.samples],
        out=out,
        minutes=order.minutes,
    )


def dockerfile(order: Order, folder: str, *, bundle: bool) -> str:
    """The Dockerfile of an image in whose `folder` the script lies; bundle: with the bundle."""
    return render(
        "Dockerfile", version=__version__, python=order.python, folder=folder, bundle=bundle
    )
