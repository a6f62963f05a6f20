"""What a probe gains from the maps of all stages and from the mean of views, over several plans.

    python benchmarks/probe_views.py ../shared/data weights.safetensors [--work folder] [--plans 8]

data: the folder with tiles/ and signs/. weights: of tf_efficientnet_lite0. The features are those
of `comp embed`; on each of several grouped, stratified plans a logistic regression of scikit-learn
is fitted on them, so that the luck of one plan does not decide: of the tiles only 30 show a defect.
The table goes to the section "Stages and views of a probe" of winners.md.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from measure import section
from probes import SETS, config_of, plan
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import comp

HERE = Path(__file__).parent
TITLE = "## Stages and views of a probe"
WANTED = (("tiles", 224, "flips"), ("signs", 96, "none"))
FORMS = (("last", "own"), ("last", "max"), ("all", "own"), ("all", "max"))
STRENGTHS = (1e-3, 1e-2, 1e-1)  # C of scikit-learn; the best mean of each form is shown


def features(config: dict[str, Any], views: str, work: Path) -> dict[str, np.ndarray[Any, Any]]:
    """(N, D) of the training images: as they are, and the mean over the views."""
    table = comp.embed(config, work, tta=views, quiet=True).table
    found = [np.load(work / file) for file in table.loc["train"]["file"]]
    out = {"id": found[0]}
    if len(found) > 1:
        out[f"mean of {views}"] = np.mean(found, axis=0)
    return out


def precisions(
    values: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    groups: np.ndarray[Any, Any],
    plans: int,
) -> np.ndarray[Any, Any]:
    """(plans,) mean average precision out of fold at the strength that is best on average."""
    classes = np.unique(labels)
    truth = np.stack([labels == name for name in classes], axis=1)
    scores = np.zeros((len(STRENGTHS), plans))
    for number in range(plans):
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=number)
        for place, strength in enumerate(STRENGTHS):
            probs = np.zeros(truth.shape)
            for train, valid in splitter.split(values, labels, groups):
                model = make_pipeline(
                    StandardScaler(), LogisticRegression(C=strength, max_iter=300)
                )
                model.fit(values[train], labels[train])
                probs[valid] = model.predict_proba(values[valid])
            rare = truth.mean(axis=0) < 0.5
            scores[place, number] = average_precision_score(truth[:, rare], probs[:, rare])
    best: np.ndarray[Any, Any] = scores[scores.mean(axis=1).argmax()]
    return best


def main() -> None:
    """Measure, then write the section of winners.md."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--work", type=Path, default=Path("probes_work"))
    parser.add_argument("--plans", type=int, default=8)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "probe_views.json"
    rows: dict[str, list[float]] = json.loads(kept.read_text()) if kept.is_file() else {}
    for name, size, views in WANTED:
        config = config_of(name, given.data, given.weights, size, "logistic", 1)
        plan(name, config, given.work)
        table = comp.read_plan(config, given.work, quiet=True).frame.sort_index()
        for maps, pool in FORMS:
            tree = {**config, "model": {**config["model"], "maps": maps, "pool": pool}}
            for seen, values in features(tree, views, given.work).items():
                key = f"{name} | {size} px | {maps} | {pool} | {seen}"
                if key in rows:
                    continue
                labels, groups = table["label"].to_numpy(), table["group"].to_numpy()
                found = precisions(values, labels, groups, given.plans)
                rows[key] = [round(float(value), 4) for value in found]
                kept.write_text(json.dumps(rows, indent=1))
                print(key, found.mean(), flush=True)
    write(rows, given.plans)


def write(rows: dict[str, list[float]], plans: int) -> None:
    """Put the table in its section of winners.md."""
    lines = [
        "`python benchmarks/probe_views.py`: features of `comp embed` by tf_efficientnet_lite0 "
        f"with ImageNet weights, logistic regression on each of {plans} plans of five grouped "
        "folds; "
        "average precision out of fold, mean of the plans; gain over the first row of the set on "
        "the same plans, with its standard error.",
        "",
        "| set | size | model.maps | model.pool | views | average precision | gain |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in SETS:
        own = {key: np.array(row) for key, row in rows.items() if key.startswith(f"{name} |")}
        if own:
            first = next(iter(own.values()))
            for key, row in own.items():
                gains = row - first
                error = gains.std(ddof=1) / len(gains) ** 0.5
                told = f"{gains.mean():+.3f} ± {error:.3f}" if gains.any() else ""
                lines.append(f"| {key} | {row.mean():.3f} | {told} |")
    section(HERE / "winners.md", TITLE, lines)


if __name__ == "__main__":
    main()
