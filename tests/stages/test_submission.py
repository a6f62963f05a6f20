"""A submission is found, checked, compared, explained, and sent only when it passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import paint

from comp.config.loading import make_config
from comp.core.errors import ConfigError, DataError, SubmissionError, UsageError
from comp.stages import submission as stage
from comp.stages.experiment import Experiment, open_experiment, read_test_images, read_train
from comp.stages.submission import (
    check_counts,
    check_file,
    diff_files,
    explain,
    find,
    format_of,
    send,
)

Toy = Callable[..., dict[str, Any]]
CSV, MANIFEST = Path("submissions/toy_binary.csv"), Path("submissions/toy_binary.json")


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


def answers() -> list[list[str]]:
    return [line.split(",") for line in CSV.read_text().split()]


def test_a_submission_is_found_by_path_by_file_name_and_by_name(finished: Toy) -> None:
    assert {find(name) for name in (str(CSV), CSV.name, "toy_binary")} == {CSV}
    for name in ("zipped.zip", "regions.coco.json"):
        Path("submissions", name).write_bytes(b"x")
        assert find(name.partition(".")[0]) == Path("submissions", name)
    with pytest.raises(
        UsageError,
        match=r"no submission 'toy_binry'; there are: 'regions', 'toy_binary', 'zipped'\. "
        r"?Did you mean 'toy_binary'",
    ):
        find("toy_binry")


def test_submissions_are_sought_below_the_workspace(finished: Toy, tmp_path: Path) -> None:
    assert find("toy_binary", Path("../work")) == Path("../work") / CSV
    with pytest.raises(UsageError, match=r"no submission 'toy_binary'; there are: none"):
        find("toy_binary", tmp_path)


def test_a_written_file_passes_with_its_rows(finished: Toy) -> None:
    assert check_file(opened(finished()), CSV) == (6, [])


def test_a_file_that_was_changed_after_it_was_written_is_a_warning(finished: Toy) -> None:
    turned = [[name, str(1 - int(label))] for name, label in answers()[1:]]
    CSV.write_text("\n".join(",".join(row) for row in [["id", "label"], *turned]) + "\n")
    _, warnings = check_file(opened(finished()), CSV)
    assert f"not the file that {MANIFEST} describes: it was changed after it was" in warnings[-1]


def test_shares_are_compared_with_those_out_of_fold_only_where_they_are_known(
    finished: Toy,
) -> None:
    lines = ["id,label", *(f"t{number:03d},1" for number in range(6))]
    alone = Path("mine.csv")
    alone.write_text("\n".join(lines) + "\n")
    expected = check_file(opened(finished()), alone)[1]
    CSV.write_text(alone.read_text())
    manifest = json.loads(MANIFEST.read_text())
    MANIFEST.write_text(
        json.dumps({**manifest, "expected_shares": {"0": 0.99, "1": 0.01}, "covered": 2400})
    )
    found = check_file(opened(finished()), CSV)[1]
    more = [warning for warning in found if warning not in expected]
    assert any("out of fold" in warning or "out-of-fold" in warning for warning in more), more


def test_a_file_that_would_be_refused_is_an_error(finished: Toy) -> None:
    CSV.write_text("id,label\nt000,0\n")
    with pytest.raises(SubmissionError, match="Submission must have 6 rows; it has 1"):
        check_file(opened(finished()), CSV)


def test_a_sample_of_another_number_of_images_is_refused_unless_chosen(
    planned: Toy, workspace: Path
) -> None:
    experiment = opened(planned())
    chosen = opened(planned(submission={"extra_images": "ignore"}))
    check_counts(experiment)
    paint(workspace / "input/test/t999.png", 100, seed=1)
    with pytest.raises(
        DataError, match=r"asks for 6 images, input.test holds 7: it may be .*extra_images=ignore"
    ):
        check_counts(experiment)
    check_counts(chosen)
    for name in ("t999", "t000"):
        (workspace / f"input/test/{name}.png").unlink()
    with pytest.raises(DataError, match=r"asks for 6 images, input.test holds 5: images are miss"):
        check_counts(chosen)


def test_without_a_sample_or_a_test_folder_there_is_nothing_to_count(
    planned: Toy, workspace: Path
) -> None:
    (workspace / "input/test").rename(workspace / "input/other")
    check_counts(opened(planned()))  # reading the test images complains
    (workspace / "input/sample_submission.csv").unlink()
    check_counts(opened(planned(data__sample_submission=None)))


def test_the_format_is_that_of_the_sample_or_of_the_ids_of_the_test_images(planned: Toy) -> None:
    ids = [f"t{number:03d}" for number in range(6)]
    lines = ["id,label", *(f"{name},0" for name in reversed(ids))]
    Path("input/sample_submission.csv").write_text("\n".join(lines) + "\n")
    expected = {"sample_submission.csv": ids[::-1], None: [f"{name}.png" for name in ids]}
    for sample, rows in expected.items():
        experiment = opened(planned(data__sample_submission=sample))
        index = read_train(experiment)
        made = format_of(experiment, index, read_test_images(experiment, index.classes))
        assert list(made.sample.ids) == rows


def test_two_submissions_are_compared_by_name_or_path(finished: Toy, workspace: Path) -> None:
    rows = answers()
    rows[1][1] = str(1 - int(rows[1][1]))
    Path("mine.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    found = diff_files("toy_binary", "mine.csv", None)
    assert (found.rows, found.ids) == (6, (rows[1][0],))
    assert diff_files("toy_binary", str(CSV), None, workspace).ids == ()


def test_a_submission_is_explained_by_its_manifest(finished: Toy) -> None:
    manifest, whole = explain("toy_binary")
    members = manifest["blend"]["members"]
    assert whole
    assert [m["fold"] for m in members] == [0, 1]
    assert all(len(m["checkpoint_sha256"]) == 64 and m["tta"] == "none" for m in members)
    assert manifest["versions"]["comp"]
    CSV.write_text(CSV.read_text() + "\n")
    assert explain(str(CSV)) == (manifest, False)
    Path("submissions/bare.csv").write_text("id,label\n")
    with pytest.raises(SubmissionError, match=r"bare\.csv: has no manifest .*bare\.json"):
        explain("bare")


def test_a_file_is_sent_only_when_it_passes(finished: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(site: Any, words: list[str]) -> str:
        ran.append(words)
        return "thank you"

    monkeypatch.setattr(stage, "run", run)
    over = {"submission": {"site": "kaggle", "competition": "digits"}}
    kaggle = opened(finished(**over))
    command = f"kaggle competitions submit -c digits -f {CSV} -m hello"
    assert send(kaggle, "toy_binary", "hello", yes=False) == (command, "")
    assert ran == []
    assert send(kaggle, str(CSV), None, yes=True)[1] == "thank you"
    assert ran == [command.replace("hello", "toy_binary").split()]
    CSV.write_text("id,label\nt000,0\n")
    with pytest.raises(SubmissionError, match="Submission must have 6 rows; it has 1"):
        send(kaggle, "toy_binary", None, yes=True)
    assert len(ran) == 1


@pytest.mark.parametrize("over", [{}, {"site": "kaggle"}, {"competition": "digits"}])
def test_nothing_is_sent_to_nowhere(finished: Toy, over: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"where to\? Set submission\.site"):
        send(opened(finished(submission=over)), "toy_binary", None, yes=False)
