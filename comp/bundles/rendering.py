"""Files made from templates."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def _templates() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("comp", "bundles/templates"),
        autoescape=False,  # Python, Dockerfiles and Markdown; texts come as literals of these
        keep_trailing_newline=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters["python"] = repr
    return found


def render(template: str, **values: Any) -> str:
    """The text of `templates/<template>.j2`; a value that it misses is an error.

    Nothing is escaped: Python code gets its values by the filter `python`.
    """
    return str(_templates().get_template(f"{template}.j2").render(values))
