"""The map of the code: which rooms there are, what each is for, and who may import whom.

Imports point downwards only: a room imports rooms that stand below it in ROOMS. Inside `data` the
same holds for the folders of DATA. `tests/core/test_floors.py` holds the code to it, and the
drawings in README.md and CONTRIBUTING.md are `drawing()`.
"""

from __future__ import annotations

ROOMS = {
    "cli": "commands: parse, print, catch, exit; imports nothing heavy at module level",
    "api": "the Python API: each function takes a config and a workspace folder",
    "stages": "one function per command, files in, files out",
    "check": "what is wrong with data: statistics, findings, leakage, duplicates/",
    "scaffold": "`comp init`: what a folder of data seems to be",
    "report": "pages and pictures",
    "bundles": "an ensemble as one folder that answers new images on any machine",
    "submission": "formats/ (csv, rle, png, coco), gate, diff, sending",
    "ensemble": "votes, weights, rules/, cross-fitting",
    "inference": "predict, predictions, views (TTA)",
    "train": "the loop, its state, checkpoints, schedules, mixing, tracking",
    "models": "networks, heads, segmenters, device",
    "data": "from files to batches; its folders stand over each other too",
    "tasks": "kinds of task, metrics, losses",
    "config": "schema, loading, messages, the paths of a workspace",
    "core": "errors, files, locks, checksums, random numbers, progress",
}

DATA = {
    "loader": "batches: order, augmentation, sampling",
    "cache": "images and masks decoded once, mapped into memory",
    "folds": "fold plans, groups, subsets",
    "layouts": "where a competition keeps images, labels and masks",
    "bags": "which images have one answer together, and in which order",
    "labels": "what label columns say: classes, targets, unknown cells",
    "masks": "masks from polygons, run lengths and files",
    "images": "decoding, resizing, geometry",
    "index": "ids, paths, targets, groups; the tables that name them",
}


def floor_of(module: tuple[str, ...]) -> tuple[int, int]:
    """The floor of a module: (its room's floor, its folder's floor inside `data` or 0).

    module: its name below `comp`, such as ("data", "masks", "rle"). Raises KeyError for a room, or
    a folder of `data`, that is not on the map.
    """
    names, inside = [*reversed(ROOMS)], [*reversed(DATA)]
    if module[0] not in ROOMS:
        raise KeyError(f"comp/{module[0]} is not on the map in comp/core/floors.py")
    if module[0] != "data" or len(module) < 2:
        return names.index(module[0]), 0
    if module[1] not in DATA:
        raise KeyError(f"comp/data/{module[1]} is not on the map in comp/core/floors.py")
    return names.index("data"), inside.index(module[1]) + 1


def drawing() -> str:
    """The rooms from top to bottom, a line each, as the documents show them."""
    lines = []
    for name, what in ROOMS.items():
        lines.append(f"    {name + '/':<13} {what}")
        if name == "data":
            lines += [f"      {inner + '/':<11} {about}" for inner, about in DATA.items()]
    return "\n".join(lines)
