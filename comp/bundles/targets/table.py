"""The targets of `comp ship`. A new one is an entry here."""

from __future__ import annotations

from comp.bundles.targets.images import DOCKER, GRAND_CHALLENGE
from comp.bundles.targets.kaggle import KAGGLE
from comp.bundles.targets.target import Target
from comp.bundles.targets.zips import DACON, DRIVENDATA

TARGETS: dict[str, Target] = {
    "kaggle": KAGGLE,
    "dacon": DACON,
    "drivendata": DRIVENDATA,
    "grand-challenge": GRAND_CHALLENGE,
    "docker": DOCKER,
}
