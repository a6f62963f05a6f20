"""Images to pack."""

from __future__ import annotations

from pathlib import Path

import pytest
from pack_toys import make_index

from comp.data.index.index import Index


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return make_index(tmp_path / "images")
