"""Ids that are paths of elsewhere, as paths."""

import pytest

from comp.data.index.path_ends import leads_out, path_id


@pytest.mark.parametrize(
    ("text", "parts", "whole"),
    [
        ("train\\a\\0.png", "train/a/0.png", False),
        (".\\train/0.png", "train/0.png", False),
        ("./train/../train//0.png", "train/0.png", False),
        ("../input/0.png", "../input/0.png", False),
        ("C:\\data\\0.png", "data/0.png", True),
        ("\\\\host\\share\\0.png", "host/share/0.png", True),
        ("/kaggle/input/0.png", "kaggle/input/0.png", True),
        ("file:///data/my%20images/0.png", "data/my images/0.png", True),
        ("https://host/x/0.png?raw=1#top", "x/0.png", True),
        ("gs://bucket/x/0.png", "x/0.png", True),
        ("a:b.png", "a:b.png", False),
    ],
)
def test_the_parts_of_a_path(text, parts, whole):
    found = path_id(text)
    assert ("/".join(found.parts), found.whole) == (parts, whole)
    assert leads_out(text) == (whole or parts.startswith(".."))
