"""The files that a judge's machine runs, made from templates."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from comp import __version__
from comp.bundles.targets.target import Order


@functools.cache
def _templates() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("comp", "bundles/targets/templates"),
        autoescape=False,  # Python and Dockerfiles; what is data comes as a Python literal
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )


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
    return str(
        _templates()
        .get_template("run.py.j2")
        .render(
            version=__version__,
            bundle=repr([*bundle]),
            wheels=repr([*wheels]) if wheels else "",
            data=repr([*data]),
            images=repr(order.images),
            samples=repr([*order.samples]),
            out=repr(out),
            minutes=repr(order.minutes),
        )
    )


def dockerfile(order: Order, folder: str, *, bundle: bool) -> str:
    """The Dockerfile of an image in whose `folder` the script lies; bundle: with the bundle."""
    page = _templates().get_template("Dockerfile.j2")
    return str(page.render(version=__version__, python=order.python, folder=folder, bundle=bundle))
