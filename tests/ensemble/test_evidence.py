"""The protocol of evidence: its two implementations have all of it."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

from comp.ensemble.evidence import Evidence
from comp.ensemble.mask_evidence import MaskEvidence
from comp.ensemble.table_evidence import TableEvidence

PROMISED = [name for name in vars(Evidence) if not name.startswith("_")]


def parameters(owner: Any, name: str) -> list[str]:
    """The names of the parameters of a method."""
    return list(inspect.signature(vars(owner)[name]).parameters)


@pytest.mark.parametrize("kind", [TableEvidence, MaskEvidence])
@pytest.mark.parametrize("name", PROMISED)
def test_every_kind_of_evidence_has_what_the_protocol_promises(kind: type, name: str) -> None:
    assert name in {*vars(kind), *(field.name for field in fields(kind))}
    if not isinstance(vars(Evidence)[name], property):
        assert parameters(kind, name) == parameters(Evidence, name)


def test_the_protocol_is_read_for_its_names() -> None:
    assert {"metric", "cross_fit", "decide", "pictures"} <= set(PROMISED)
