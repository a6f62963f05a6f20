"""Licences of packages, and what licences mean."""

from __future__ import annotations

from importlib import metadata

import pytest

from comp.models.licences import NOT_COMMERCIAL, OPEN, OWN_TERMS, UNKNOWN, kind_of, package_licence


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("Apache-2.0", OPEN),
        ("cc-by-nc-4.0", NOT_COMMERCIAL),
        ("dinov3-license", OWN_TERMS),
        ("unknown", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_a_licence_means(licence: str | None, kind: str) -> None:
    assert kind_of(licence) == kind


def test_packages_name_their_licences_in_three_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    class About:
        def __init__(self, **known: object) -> None:
            self.json = known

    known = {
        "new": About(license_expression="MIT", license="x", classifier=[]),
        "old": About(license="BSD 3", classifier=["License :: OSI Approved :: BSD License"]),
        "text": About(license="Copyright\nall of it", classifier=["License :: OSI :: MIT License"]),
        "long": About(license="x" * 100),
        "none": About(),
    }
    monkeypatch.setattr(metadata, "metadata", known.__getitem__)
    found = {name: package_licence(name) for name in known}
    assert found == {
        "new": "MIT",
        "old": "BSD 3",
        "text": "MIT License",
        "long": "x" * 60,
        "none": UNKNOWN,
    }


def test_a_package_that_is_missing_has_an_unknown_licence() -> None:
    assert package_licence("no-such-package") == UNKNOWN
    assert package_licence("timm") == "Apache-2.0"
