"""The section `tasks` of the config: several tasks that one network learns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from comp.config.values import Cells, Names, Positive, Section, as_tuple


class TaskConfig(Section):
    """One of several tasks (task: several)."""

    # What it is called in the formula of `metric`; without `columns` its column too
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    columns: Names = ()  # of its labels; multilabel and regression: one or more, else one
    # How it is answered; ordinal is learned as classes
    kind: Literal["binary", "multiclass", "multilabel", "regression", "ordinal"]
    # The classes of multiclass and ordinal (grades the lowest first); of binary no and yes
    classes: Cells = ()
    loss: str = "auto"  # as train.loss, for a task of its kind
    weight: Positive = 1.0  # of its loss in the sum over all tasks
    metric: str  # what its rule is tuned by, and what its name means in the formula

    @property
    def of(self) -> tuple[str, ...]:
        """The columns of its labels."""
        return self.columns or (self.name,)


Tasks = Annotated[tuple[TaskConfig, ...], BeforeValidator(as_tuple)]
