import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as judges

from comp.tasks.metrics import METRICS
from comp.tasks.number_metrics import NUMBER_METRICS


def numbers(seed: int, columns: int = 2) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    target = 50 * draw.random((40, columns))
    return target, target + draw.normal(0, 20, (40, columns))


def by_column(judge, target: np.ndarray, answer: np.ndarray) -> float:  # type: ignore[no-untyped-def]
    pairs = zip(target.T, answer.T, strict=True)
    return float(np.mean([judge(*pair) for pair in pairs]))


JUDGES = {
    "rmse": judges.root_mean_squared_error,
    "mse": judges.mean_squared_error,
    "mae": judges.mean_absolute_error,
    "medae": judges.median_absolute_error,
    "r2": judges.r2_score,
    "mape": judges.mean_absolute_percentage_error,
    "rmsle": lambda true, given: judges.root_mean_squared_log_error(true, np.maximum(given, 0)),
    "pearson": lambda true, given: stats.pearsonr(true, given)[0],
    "spearman": lambda true, given: stats.spearmanr(true, given)[0],
}


@pytest.mark.parametrize("name", NUMBER_METRICS)
def test_a_metric_of_numbers_is_that_of_scikit_learn_or_scipy(name: str) -> None:
    for seed in range(5):
        target, answer = numbers(seed)
        rounded = answer.round(-1)  # with ties
        for given in (answer, rounded):
            expected = by_column(JUDGES[name], target, given)
            assert METRICS[name].score(target, given, 2) == pytest.approx(expected)


@pytest.mark.parametrize("name", NUMBER_METRICS)
def test_weights_of_numbers_are_the_same_as_repeated_rows(name: str) -> None:
    target, answer = numbers(1)
    times = np.random.default_rng(2).integers(0, 4, size=(5, 40))
    found = METRICS[name].weighted(target, answer, 2, times.astype(float))
    rows = [np.repeat(np.arange(40), row) for row in times]
    expected = [METRICS[name].score(target[row], answer[row], 2) for row in rows]
    assert found.tolist() == pytest.approx(expected)


def test_what_is_not_defined_is_nan_and_large_numbers_lose_no_digits() -> None:
    target, answer = numbers(3, columns=1)
    still = np.full_like(target, 7.0)
    assert np.isnan(METRICS["r2"].score(still, answer, 1))
    assert np.isnan(METRICS["pearson"].score(target, still, 1))
    moved = METRICS["r2"].score(target + 1e8, answer + 1e8, 1)
    assert moved == pytest.approx(METRICS["r2"].score(target, answer, 1), rel=1e-5)
