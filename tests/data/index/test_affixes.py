"""Names of images and masks that differ by an affix."""

import pytest

from comp.data.index.affixes import find_affixes, split_masks


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["a", "b"], ["a_mask", "b_mask"]),
        (["a", "b"], ["mask_a", "mask_b"]),
        (["a", "b"], ["a_segmentation", "b_segmentation"]),
        (["a_0000", "b_0000"], ["a", "b"]),
        (["img_07", "img_08"], ["mask_07", "mask_08"]),
        (["img_07", "img_17"], ["07-gt", "17-gt"]),
        (["1", "11"], ["1_x", "11_x"]),
        (["s/a", "t/a"], ["s/a_m", "t/a_m"]),
    ],
)
def test_affixes_lead_every_image_to_a_mask(images: list[str], masks: list[str]) -> None:
    found = find_affixes(images, masks)
    assert found is not None
    assert [found.mask_of(stem) for stem in images] == masks


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["a", "b"], ["a_mask", "b_seg"]),
        (["a", "b", "c"], ["a_mask", "b_mask"]),
        (["a", "b"], []),
        ([], ["a"]),
    ],
)
def test_where_one_image_has_no_mask_there_are_no_affixes(
    images: list[str], masks: list[str]
) -> None:
    assert find_affixes(images, masks) is None


@pytest.mark.parametrize("mark", ["{}_mask", "{}-seg", "{}_GT", "mask_{}", "label_{}"])
def test_masks_beside_their_images_are_known_by_their_names(mark: str) -> None:
    stems = ["p/x", "p/y", "q/x"]
    masks = [
        f"{folder}/{mark.format(name)}" for folder, name in (stem.split("/") for stem in stems)
    ]
    found = split_masks([*stems, *masks])
    assert found is not None
    assert [found.mask_of(stem) for stem in stems] == masks


@pytest.mark.parametrize("stems", [["x", "x_1"], ["x", "y", "x_mask"], ["x_mask", "y_mask"]])
def test_other_names_do_not_tell_masks_apart(stems: list[str]) -> None:
    assert split_masks(stems) is None
