"""A plugin file as a user writes it: one entry of each kind."""

import albumentations as A
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

import comp

comp.register_metric("my_balanced", balanced_accuracy_score, of=["class"])


@comp.register_metric("my_brier", wants="probs", greater_is_better=False)
def brier(target, probs, sample_weight):
    truth = np.eye(probs.shape[1])[target] if probs.shape[1] > 1 and target.ndim == 1 else target
    cells = ((probs - truth.reshape(probs.shape)) ** 2).mean(axis=1)
    return (cells * sample_weight).sum() / sample_weight.sum()


@comp.register_loss("my_square")
def square(logits, target):
    probs = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)
    return (probs - target) ** 2


@comp.register_loss("my_dice", whole_batch=True)
def dice(logits, target):
    probs = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)
    return 1 - (2 * (probs * target).sum() + 1) / ((probs + target).sum() + 1)


class Tint(A.ImageOnlyTransform):
    """A transform of one's own: it draws from the generators that comp sets."""

    def get_params(self):
        return {"by": self.py_random.randint(1, 40)}

    def apply(self, img, by=0, **_):
        return np.clip(img.astype(int) + by, 0, 255).astype(np.uint8)


@comp.register_recipe("my_tint")
def tint(size):
    return [A.HorizontalFlip(p=0.5), Tint(p=0.9)]


@comp.register_sampler("my_half")
def half(target, strength, generator):
    return generator.permutation(len(target))[: max(2, len(target) // 2)]


comp.register_vote("my_squares", transform=np.square, inverse=np.sqrt)


@comp.register_layout("my_layout")
def layout(root, data):
    table = pd.read_csv(root / data.train_csv, dtype=str)
    table["path"] = "train/" + table["id"] + ".png"
    return table.rename(columns={"label": "label"})
