"""Licences of weights and packages, as far as they are known, and what they mean for a prize."""

from __future__ import annotations

from importlib import metadata

# What may be done under a licence. Winners' solutions are often to be put under an open licence.
OPEN, NOT_COMMERCIAL, OWN_TERMS, UNKNOWN = "open", "not commercial", "own terms", "unknown"

LICENCES = {  # as timm and the Hugging Face hub write them
    "apache-2.0": OPEN,
    "mit": OPEN,
    "bsd-3-clause": OPEN,
    "bsd-2-clause": OPEN,
    "cc-by-4.0": OPEN,
    "cc0-1.0": OPEN,
    "cc-by-nc-4.0": NOT_COMMERCIAL,
    "cc-by-nc-sa-4.0": NOT_COMMERCIAL,
    "fair-noncommercial-research-license": NOT_COMMERCIAL,
    "seer-license": NOT_COMMERCIAL,
    "apple-amlr": NOT_COMMERCIAL,
}

_SHORT = 60  # letters of a licence's name; what is longer is its text


def kind_of(licence: str | None) -> str:
    """What may be done under a licence: open, not commercial, own terms, or unknown."""
    if not licence or licence.lower() == UNKNOWN:
        return UNKNOWN
    return LICENCES.get(licence.lower(), OWN_TERMS)


def package_licence(name: str) -> str:
    """The licence that an installed package names, in its own words; "unknown" without one."""
    try:
        about = metadata.metadata(name).json
    except metadata.PackageNotFoundError:
        return UNKNOWN
    known = about.get("license_expression")
    if known:
        return str(known)
    said = str(about.get("license") or "").strip()
    classes = [c for c in about.get("classifier", []) if c.startswith("License :: ")]
    if classes and (not said or "\n" in said or len(said) > _SHORT):
        return str(classes[0].rpartition(" :: ")[2])
    first = said.splitlines()[0].strip() if said else ""
    return first[:_SHORT] if first else UNKNOWN
