"""What in a sample submission does not look like the answers that will be written."""

from __future__ import annotations

from comp.core.errors import did_you_mean, first
from comp.submission.formats import Format
from comp.submission.formats.cells import Cells
from comp.submission.formats.rle import RleFormat
from comp.submission.sample import Sample

_PLACEHOLDERS = frozenset(("", "0", "1", "-1", "?", "-", "nan", "none", "null", "na", "label"))


def sample_doubts(file_format: Format) -> list[str]:
    """Sentences about the cells of the sample: another kind of answer, texts that are no class.

    They may be placeholders, so they are no errors.
    """
    sample, content = file_format.sample, file_format.content
    if isinstance(file_format, RleFormat):
        return list(file_format.doubts)
    if not isinstance(content, Cells):
        return []
    doubts = [
        f"{sample.path}: the column {name!r} is copied as it is: it is neither a label nor a class"
        for name in sample.fixed
        if content.long is None and name in sample.texts and name.lower() != "usage"
    ]
    texts = {
        cell for name in sample.answers for cell in sample.texts[name] if not _placeholder(cell)
    }
    if content.allowed is None:
        return doubts + _other_kind(sample, {cell for cell in texts if _number(cell) is None})
    fractions = {cell for cell in texts if (value := _number(cell)) is not None and value % 1}
    if fractions - content.allowed:
        return [
            *doubts,
            f"{sample.path}: holds fractions ({first(sorted(fractions), 3)}), but labels will be "
            "written, as the metric wants them. If the site asks for probabilities, set "
            "submission.write: probability, or its metric",
        ]
    return doubts + _unknown(sample, content, texts)


def _other_kind(sample: Sample, texts: set[str]) -> list[str]:
    if not texts:
        return []
    return [
        f"{sample.path}: holds texts ({first(sorted(texts), 3)}), but probabilities will be "
        "written, as the metric wants them. If the site asks for labels, set submission.write: "
        "label, or its metric"
    ]


def _unknown(sample: Sample, content: Cells, texts: set[str]) -> list[str]:
    """Texts that no answer will be, the separator of several labels aside."""
    allowed = content.allowed or frozenset()
    parts = {p for t in texts for p in (t.split(content.separator) if content.separator else [t])}
    unknown = sorted(part for part in parts - allowed if not _placeholder(part))
    if not unknown:
        return []
    hint = did_you_mean(unknown[0], sorted(allowed))
    return [
        f"{sample.path}: holds {first(unknown, 3)}, which no answer will be; answers are "
        f"{first(sorted(allowed))}.{hint}"
    ]


def _placeholder(cell: str) -> bool:
    return cell.strip().lower() in _PLACEHOLDERS


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
