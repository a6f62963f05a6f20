"""`comp augment show`: images as training sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from comp.core.rng import derive
from comp.data.cache.image_range import with_range
from comp.data.images.crops import fitted
from comp.data.images.pixel_form import form_of
from comp.data.images.reading import picture_of, read_pixels
from comp.data.images.resize import fit_mask
from comp.data.loader.recipes import make_recipe
from comp.report.contact_sheet import contact_sheet
from comp.report.overlay import overlay
from comp.stages.experiment import Experiment, read_train


def show_augmentation(experiment: Experiment, out: Path, *, images: int, draws: int) -> None:
    """A contact sheet at `out`: a row per image, unchanged and then augmented `draws` times.

    The images are spread over the classes; the draws are those of fold 0, epochs 0, 1, ...
    """
    config = experiment.config
    index = read_train(experiment)
    recipe = make_recipe(config.augment.recipe, config.image.size, config.image.channels)
    labels = index.label_texts()
    order = np.argsort(np.array(labels), kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(images, len(order))).astype(int)]
    form = form_of(with_range(config.image, index, experiment.workspace.cache))
    pictures, titles = [], []
    for row in rows:
        box = None if index.boxes is None else index.boxes[row]
        image = fitted(read_pixels(index.source(int(row)), form), config.image, box)
        mask = None
        if index.masks is not None:
            mask = fit_mask(index.masks.read(row), config.image.size, config.image.resize)
        seen = picture_of(image)
        pictures.append(seen if mask is None else overlay(seen, mask))
        titles.append(f"{index.ids[row]}: {labels[row]}"[:40])
        for draw in range(draws):
            seed = derive(config.seed, "augment", 0, draw, int(row))
            if mask is None:
                pictures.append(picture_of(recipe(image, seed)))
            else:
                moved, its_mask = recipe.with_mask(image, mask, seed)
                pictures.append(overlay(picture_of(moved), its_mask))
            titles.append("")
    contact_sheet(pictures, titles, out, columns=draws + 1)
