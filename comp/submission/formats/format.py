"""What every format of submission files can do, and what it is given.

Whatever the format, a submission that was read back is columns of text, as in the sample: labels,
probabilities or run lengths. So checking, comparing and warning are written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

import numpy as np

from comp.config.schema import DataConfig
from comp.data.index.index import Index
from comp.submission.diff import Diff
from comp.submission.sample import Sample
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

if TYPE_CHECKING:
    from comp.submission.formats.boxes import BoxRows
    from comp.submission.formats.cells import Cells
    from comp.submission.formats.masks import MaskRows

Array = np.ndarray[Any, Any]
Columns = dict[str, tuple[str, ...]]  # column of the sample -> its cells, in the sample's order


@dataclass(frozen=True)
class Competition:
    """What decides how the answers of a competition are written.

    `sample`        the sample submission, None where the competition gives none
    `test`          the test images
    `classes`       the names of the classes; `codes`: what the sample calls them, in the same order
    `write`         auto, label or probability: what the cells of a table hold
    `coco_numbers`  id -> COCO's id of the image, where it is known
    `empty`         auto, or the run lengths of an empty mask
    `decimals`      places behind the point of numbers; auto: as the sample's cells have
    `boxes`         the words of each object in a cell of boxes; auto: as the sample's cells have
    `likely`        how many of the likeliest classes a cell holds; auto: as the sample says
    """

    sample: Path | None
    data: DataConfig
    task: Task
    metric: Metric
    test: Index
    classes: tuple[str, ...]
    codes: tuple[str, ...]
    write: str
    coco_numbers: dict[str, int | str]
    empty: str = "auto"
    likely: int | Literal["auto"] = "auto"
    decimals: int | Literal["auto"] = "auto"
    boxes: str = "auto"

    def called(self, said: Iterable[str | None]) -> Competition:
        """The same where the sample calls the classes by their names, as `said` in its rows."""
        used = {code for code in said if code is not None}
        by_name = used <= {*self.classes} and not used <= {*self.codes}
        return replace(self, codes=self.classes) if by_name else self


@dataclass(frozen=True)
class Answers:
    """The answers to some of the test images: all of a table at once, or masks image by image.

    `ids`     (n,)
    `labels`  (n,) class numbers, (n, C) of 0 and 1, or masks (n, L, H, W): one layer of class
              numbers from 1 on, or a layer of 0 and 1 for each class
    `probs`   (n, C) or (n, C, H, W), or None where a hard vote gives none
    """

    ids: Sequence[str]
    labels: Array
    probs: Array | None


class Format(Protocol):
    """A format of submission files, opened for one competition.

    `suffix`       how the names of its files end
    `sample`       the columns and ids that a submission must have
    `content`      what its answer columns hold
    `needs_probs`  whether what it holds is made from probabilities
    """

    suffix: ClassVar[str]

    @property
    def sample(self) -> Sample: ...

    @property
    def content(self) -> Cells | MaskRows | BoxRows: ...

    @property
    def needs_probs(self) -> bool: ...

    @classmethod
    def read_sample(cls, competition: Competition) -> Self:
        """The format as the sample of a competition shows it.

        Raises DataError for what is no sample, SubmissionError for columns that do not fit the
        classes, ConfigError for a `write` that cannot be done.
        """
        ...

    def write(self, path: Path, answers: Iterable[Answers]) -> tuple[Columns, int]:
        """Write a file; the columns that it must read back as, and its rows, files or results.

        The answers are taken one after the other, in any order of ids. Raises SubmissionError for
        ids that are not those of the sample.
        """
        ...

    def read_back(self, path: Path) -> tuple[Columns, list[str]]:
        """The columns of a file, and everything for which it would be refused.

        The columns may be incomplete where there are complaints. Raises SubmissionError for a file
        that cannot be read at all.
        """
        ...

    def check(self, path: Path, columns: Columns) -> list[str]:
        """What the owner of an acceptable file should look at before sending it: sentences."""
        ...

    @staticmethod
    def diff(one: Path, two: Path, id_column: str | None) -> Diff | None:
        """The differences between two files, joined by id; None where they are not of this format.

        Raises SubmissionError for files of other columns or ids.
        """
        ...
