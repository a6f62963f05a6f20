"""What a plan cannot mend is said."""

from plan_toys import index_of, plan_of

from comp.config.schema import FoldsConfig
from comp.data.folds.make import make_plan


def test_what_a_plan_cannot_mend_is_a_warning():
    plan = plan_of(index_of([0] * 9 + [1]), 3)
    (fold,) = (k for k in range(3) if "0009" in plan.valid(k))
    others = ", ".join(str(k) for k in range(3) if k != fold)
    assert plan.warnings == (
        "class 'b' lives in 1 images: 3 folds cannot all contain it; no seed will help",
        f"class 'b' is absent from the folds {others}",
        f"class 'b' is in fold {fold} only: its own models never see it",
    )
    grouped = plan_of(index_of([0, 1] * 2 + [0] * 2, "ppqqrs"), 3)
    assert grouped.warnings[0] == (
        "class 'b' lives in 2 groups: 3 folds cannot all contain it; no seed will help"
    )


def test_a_class_in_few_groups_is_told_to_be_hopeless() -> None:
    index = index_of([1, 1, 1, 1, *[0] * 16], [0, 0, 1, 1, *range(2, 18)])
    plan = make_plan(index, FoldsConfig(count=4), 42)
    assert plan.warnings[0] == (
        "class 'b' lives in 2 groups: 4 folds cannot all contain it; no seed will help"
    )
    homes = {plan.fold[0], plan.fold[2]}
    assert len(homes) == 2  # spread as far as they go
    assert plan.warnings[1].startswith("class 'b' is absent from the folds ")


def test_a_group_that_holds_most_of_a_class_is_told() -> None:
    index = index_of([1] * 10 + [1, 1, 0, 0, 0, 0, 0, 0], ["big"] * 10 + list(range(8)))
    message = make_plan(index, FoldsConfig(count=3), 42).warnings
    assert "group 'big' alone holds 10 of the 12 images of class 'b', an even share is 4; " in (
        " ".join(message)
    )
