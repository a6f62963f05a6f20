"""Mixup, CutMix and erasing on whole batches."""

from typing import Any

import numpy as np
import pytest
import torch

from comp.config.schema import AugmentConfig
from comp.core.errors import ConfigError
from comp.tasks.kinds import TASKS
from comp.train.mixing import Mixed, Slice, check_mix, mix, needed

COUNT, SIDE = 64, 20
# The value of every pixel is the number of its image.
IMAGES = (torch.arange(COUNT) * 3).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, SIDE, SIDE + 4)
CLASSES = torch.arange(COUNT) % 3
WHERE = (42, 0, 1, 2)


COLUMNS = {"binary": 1, "multilabel": 2, "regression": 2, "multiclass": 3, "ordinal": 3}


def mixed(where: tuple[int, ...] = WHERE, kind: str = "multiclass", **augment: Any) -> Mixed:
    target = CLASSES
    if kind == "multilabel":
        target = torch.stack([CLASSES > 0, CLASSES > 1], dim=1).long()
    if kind == "regression":
        target = torch.stack([CLASSES * -1.0, CLASSES * 7.5], dim=1).double()
    if kind == "binary":
        target = (CLASSES > 0).long()
    config, columns = AugmentConfig(**augment), COLUMNS
    task = TASKS[kind]
    return mix(IMAGES.contiguous(), target, config, task, columns[kind], (0.5, 0.5, 0.5), where)


def whole(batch: Mixed, parts: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    found = list(batch.parts(parts))
    return torch.cat([images for images, _ in found]), torch.cat([target for _, target in found])


def test_without_options_a_batch_stays_as_it_is() -> None:
    images, target = whole(mixed())
    assert images.dtype == torch.uint8
    assert torch.equal(images, IMAGES)
    assert torch.equal(target, CLASSES)


@pytest.mark.parametrize("kind", [task.name for task in TASKS.values() if not task.spatial])
@pytest.mark.parametrize("way", ["mixup", "cutmix"])
def test_the_target_holds_as_much_of_each_image_as_the_pixels_do(kind: str, way: str) -> None:
    batch = mixed(kind=kind, **{way: 1.0})
    images, target = whole(batch)
    own = IMAGES[:, 0, 0, 0].float()
    other = own[batch.partner]
    apart = own != other
    kept = ((images.mean(dim=(1, 2, 3)) - other) / (own - other))[apart]
    assert 0.3 < kept.mean() < 0.8
    assert kept.min() >= -1e-5
    assert kept.max() <= 1 + 1e-5
    pure = mixed(kind=kind).target
    soft = TASKS[kind].link.soft_target(pure, target.shape[1])
    want = kept[:, None] * soft[apart] + (1 - kept[:, None]) * soft[batch.partner][apart]
    torch.testing.assert_close(target[apart], want, atol=1e-4, rtol=0)


def test_cutmix_puts_one_box_of_the_partner_in() -> None:
    batch = mixed(cutmix=1.0)
    images, _ = whole(batch)
    own, other = IMAGES[:, 0, 0, 0].float(), IMAGES[batch.partner][:, 0, 0, 0].float()
    areas: list[int] = []
    for number in range(COUNT):
        values = set(images[number].unique().tolist())
        assert values <= {float(own[number]), float(other[number])}
        top, bottom, left, right = batch.boxes[:, number]
        assert (images[number, :, top:bottom, left:right] == other[number]).all()
        if own[number] != other[number]:
            pasted = int((images[number, 0] == other[number]).sum())
            assert pasted == (bottom - top) * (right - left)
            areas.append(pasted)
    assert max(areas) > 0


def test_with_both_about_half_of_the_images_are_cut() -> None:
    batch = mixed(mixup=0.4, cutmix=1.0)
    cut = (batch.share == 1).float().mean()
    assert 0.3 < cut < 0.7
    assert (batch.boxes[1] == batch.boxes[0])[(batch.share != 1).view(-1)].all()


def test_erasing_covers_a_box_of_the_mean_colour_in_a_share_of_the_images() -> None:
    images, target = whole(mixed(erasing=0.5))
    gone = (images[:, 0] != IMAGES[:, 0]).flatten(1).float().mean(dim=1)
    erased = gone > 0
    assert images.dtype == torch.uint8
    assert torch.equal(target, CLASSES)
    assert 0.3 < erased.float().mean() < 0.7
    assert gone[erased].min() > 0.005
    assert gone.max() < 0.4
    assert set(images[images != IMAGES].tolist()) == {128}
    number = int(erased.float().argmax())
    rows, columns = (images[number, 0] != IMAGES[number, 0]).nonzero(as_tuple=True)
    area = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert int(area) == len(rows)


@pytest.mark.parametrize("where", [(7, 0, 1, 2), (42, 1, 1, 2), (42, 0, 2, 2), (42, 0, 1, 3)])
def test_draws_are_a_function_of_seed_fold_epoch_and_step(where: tuple[int, ...]) -> None:
    options = {"mixup": 0.3, "cutmix": 1.0, "erasing": 0.5}
    first, again, other = mixed(**options), mixed(**options), mixed(where, **options)
    assert torch.equal(whole(first)[0], whole(again)[0])
    assert not torch.equal(whole(first)[0], whole(other)[0])


@pytest.mark.parametrize("parts", [2, 5])
def test_a_batch_in_parts_is_the_same_batch(parts: int) -> None:
    batch = mixed(mixup=0.3, cutmix=1.0, erasing=0.5)
    for one, other in zip(whole(batch), whole(batch, parts), strict=True):
        assert torch.equal(one, other)


def test_images_with_masks_are_not_mixed() -> None:
    class Spatial:
        name, spatial = "segmentation", True

    check_mix(AugmentConfig(erasing=0.5), Spatial())
    with pytest.raises(
        ConfigError, match=r"augment\.cutmix: works for classification only.* task is segmentation"
    ):
        check_mix(AugmentConfig(cutmix=1.0), Spatial())


def test_boxes_reach_every_corner() -> None:
    seen = np.zeros((SIDE, SIDE + 4), dtype=bool)
    for step in range(20):
        images, _ = whole(mixed((1, 0, 0, step), erasing=1.0))
        seen |= (images[:, 0] != IMAGES[:, 0]).any(dim=0).numpy()
    assert seen.all()


@pytest.mark.parametrize("way", ["mixup", "cutmix"])
def test_a_mixed_cell_is_unknown_where_an_image_in_the_mixture_is(way: str) -> None:
    target = torch.stack([CLASSES > 0, CLASSES > 1], dim=1).long()
    target[::5, 0] = -1
    config = AugmentConfig(**{way: 1.0})
    made = mix(IMAGES.contiguous(), target, config, TASKS["multilabel"], 2, (0.5, 0.5, 0.5), WHERE)
    clean = mixed(kind="multilabel", **{way: 1.0})
    partner = made.partner
    assert partner is not None
    assert torch.equal(partner, clean.partner)
    unknown = made.target == -1
    assert not unknown[:, 1].any()
    for row in range(COUNT):
        own, other = target[row, 0] < 0, target[partner[row], 0] < 0
        images = whole(made)[0][row]
        alone = torch.equal(images.float(), IMAGES[row].float())  # nothing of the partner is in it
        assert bool(unknown[row, 0]) == bool(own or (other and not alone))
    assert torch.equal(made.target[~unknown], clean.target[~unknown])


@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16])
def test_images_of_any_depth_and_number_of_channels_are_erased(kind: torch.dtype) -> None:
    top = torch.iinfo(kind).max
    images = torch.zeros((4, 5, 16, 16), dtype=torch.int32).to(kind)
    target = torch.tensor([0, 1, 0, 1])
    augment = AugmentConfig(erasing=1.0, mixup=0.4, cutmix=0.4)
    mean = (0.1, 0.3, 0.5, 0.7, 1.0)
    mixed = mix(images, target, augment, TASKS["binary"], 1, mean, (0, 0, 0, 0), top=top)
    assert mixed.images.dtype == kind
    for place, value in enumerate(mean):
        seen = {int(v) for v in mixed.images[:, place].to(torch.int32).unique()}
        assert seen == {0, round(top * value)}
    assert all(torch.isfinite(part).all() for part, _ in mixed.parts(2))


@pytest.mark.parametrize(
    "options",
    [{}, {"erasing": 0.5}, {"mixup": 0.4, "cutmix": 1.0, "erasing": 0.5}, {"cutmix": 1.0}],
    ids=lambda options: "+".join(options) or "nothing",
)
def test_a_part_of_a_batch_is_what_it_is_in_the_whole(options: dict[str, float]) -> None:
    augment = AugmentConfig(**options)
    images, target = whole(mixed(**options))
    for low, high in ((0, 20), (20, 41), (41, COUNT)):
        places = needed(augment, COUNT, WHERE, low, high)
        assert places[: high - low].tolist() == list(range(low, high))
        assert len({*places.tolist()}) == len(places) <= 2 * (high - low)
        part = mix(
            *(IMAGES[places].contiguous(), CLASSES[places], augment, TASKS["multiclass"], 3),
            (0.5, 0.5, 0.5),
            WHERE,
            Slice(low, high, COUNT),
        )
        pieces = [*part.parts(3)]
        seen = torch.cat([piece for piece, _ in pieces])
        said = torch.cat([truth for _, truth in pieces])
        if not options.get("mixup") and not options.get("cutmix"):
            assert len(places) == high - low
        assert torch.equal(seen, images[low:high])
        assert torch.equal(said, target[low:high])
