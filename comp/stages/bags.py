"""Bags of images with one answer each (`data.bag`): what of the config fits, and how they are
read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from comp.config.schema import AUTO_BAG, Config, DataConfig
from comp.config.workspace import Workspace
from comp.core import files
from comp.core.errors import ConfigError, DataError, UsageError, first, pick
from comp.core.progress import say
from comp.data.bags.collect import answered, bagged
from comp.data.bags.order import by_names
from comp.data.folds.groups import Copies, Group, accepted, merge
from comp.data.index.index import Index
from comp.data.layouts.layouts import answered_ids
from comp.tasks.kinds import Task

Parts = tuple[Index, Index, Index]


def check_bags(config: Config, task: Task) -> None:
    """ConfigError for values that do not go with bags, or that need them."""
    from comp.models.bags.pools import POOLS, is_ordered

    data, model, augment = config.data, config.model, config.augment
    pool = pick(POOLS, model.pool_bag, "model.pool_bag")
    if data.bag is None:
        return
    only = {
        f"task: {task.name} (bags are for answers per image)": task.spatial,
        "model.probe": model.probe is not None,
        "augment.cutpaste": augment.cutpaste > 0,
        "augment.copies": augment.copies is not None,
        "data.extra": bool(config.data.extra),
        "train.pseudo": config.train.pseudo is not None,
        "train.clean": config.train.clean is not None,
        "data.aux": bool(data.aux),
        "data.weight": data.weight is not None,
        "data.new": data.new is not None,
        "model.lora": model.lora is not None,
        "data.files": bool(data.files),
        f"image.channels: {config.image.channels}": config.image.channels != 3,
        f"image.bits: {config.image.bits}": config.image.bits != 8,
        "data.group: auto (bags are those groups already)": data.bag == data.group == AUTO_BAG,
    }
    found = [name for name, used in only.items() if used]
    if found:
        raise ConfigError(f"data.bag: not with {', '.join(found)}. Leave it out")
    needs = {
        f"model.pool_bag: {model.pool_bag}": pool.ordered,
        f"image.bag_sample: {config.image.bag_sample}": config.image.bag_sample == "window",
    }
    without = [name for name, used in needs.items() if used]
    if without and not is_ordered(data):
        raise ConfigError(
            f"{', '.join(without)}: needs images in an order; name a column in data.bag_order, or "
            "write name for that of the files"
        )


def bagged_train(index: Index, config: Config, paths: Workspace) -> Index:
    """The training bags of an index of images; the index itself without `data.bag`."""
    data = config.data
    if data.bag is None:
        return index
    if data.bag == AUTO_BAG:
        found = accepted(
            replace(index, groups=None), AUTO_BAG, paths.groups_csv, paths.check_json, paths.cache
        )
        index = replace(index, places=_placed(found.groups or (), index))
    made = bagged(index)
    assert made.bags is not None
    sizes = sorted(map(len, made.bags.rows))
    say(
        f"{len(index)} images in {len(made)} bags (data.bag: {data.bag}) of {sizes[0]} to "
        f"{sizes[-1]}, half of them of {sizes[len(sizes) // 2]} or more"
    )
    return made


def bagged_test(test: Index, config: Config, task: Task, paths: Workspace, root: str) -> Index:
    """The rows that are answered: bags of the test images, or images with the answer of their bag.

    Of `data.bag: auto` they are the test images of the groups that `comp check` found.
    """
    data = config.data.model_copy(update={"root": root})
    if data.bag is None:
        return test
    if data.bag == AUTO_BAG:
        test = replace(test, places=_found_in_test(test, paths))
    return answered(test, answered_ids(data, task, test) if data.bag != AUTO_BAG else test.ids)


def _placed(groups: tuple[str, ...], index: Index) -> tuple[tuple[str, int], ...]:
    """The groups of images as bags, in the order of their names."""
    return tuple(by_names(groups, index.ids))


def _found_in_test(test: Index, paths: Workspace) -> tuple[tuple[str, int], ...]:
    """The bags of test images: those that `comp check` found to show the same."""
    found = files.read_json(paths.check_json, DataError) if paths.check_json.is_file() else {}
    known = {*test.ids}
    named = [tuple(map(str, ids)) for ids in found.get("test_groups", ())]
    gone = sorted({name for ids in named for name in ids} - known)
    if "test_groups" not in found or gone:
        why = f"it is about {first(gone)}, which are no test images" if gone else "it says nothing"
        raise DataError(
            f"data.bag: {AUTO_BAG}: the bags of the test images are those of {paths.check_json}, "
            f"and {why}; run `comp check`"
        )
    return _placed(merge(test, _groups(named)), test)


def answered_rows(
    config: Config, task: Task, data: DataConfig, train: Index, test: Index
) -> tuple[Index, Index]:
    """The rows that are trained on and answered, as far as indexes of images tell them: with
    `data.bag: auto` the test images. Raises DataError for what cannot be bags."""
    if config.data.bag in (None, AUTO_BAG):
        return train, test
    return bagged(train), answered(test, answered_ids(data, task, test)) if len(test) else test


def in_bags(
    bag: str | None, parts: Parts, copies: Copies, test_groups: Sequence[Sequence[str]]
) -> Parts:
    """Indexes of training, test and remaining training images, in bags. Of `data.bag: auto` these
    are the groups that were just found; the images of a bag are a group, which no plan divides."""
    train, test, left = parts
    if bag is None or not len(left):
        return parts
    if bag == AUTO_BAG:
        known = {*left.ids}
        groups = [
            replace(group, ids=ids)
            for group in copies.proposals
            if len(ids := tuple(name for name in group.ids if name in known)) > 1
        ]
        left = replace(left, places=_placed(merge(left, groups), left))
        test = replace(test, places=_placed(merge(test, _groups(test_groups)), test))
    bags: dict[str, list[str]] = {}
    for name, (own, _) in zip(left.ids, left.places or (), strict=True):
        bags.setdefault(own, []).append(name)
    together = _groups([ids for ids in bags.values() if len(ids) > 1])
    return train, test, replace(left, groups=merge(left, together))


def _groups(parts: Sequence[Sequence[str]]) -> list[Group]:
    return [Group(f"t{number:04d}", tuple(ids), (), 1.0) for number, ids in enumerate(parts)]


def copies_of_bags(copies: Copies, index: Index) -> Copies:
    """What was found about images, of the bags that hold them; copies within a bag are none."""
    if index.bags is None:
        return copies
    owner = {
        name: bag for bag, own in zip(index.ids, index.bags.names(), strict=True) for name in own
    }

    def lifted(group: Group) -> Group:
        ids = tuple(sorted({owner[name] for name in group.ids if name in owner}))
        return replace(group, ids=ids)

    def several(groups: tuple[Group, ...]) -> tuple[Group, ...]:
        return tuple(g for g in map(lifted, groups) if len(g.ids) > 1)

    return Copies(several(copies.copies), several(copies.proposals))


def refuse_bags(config: Config, what: str) -> None:
    """UsageError for a command that looks at one image at a time."""
    if config.data.bag is not None:
        raise UsageError(f"{what}: not with data.bag ({config.data.bag}): it takes single images")
