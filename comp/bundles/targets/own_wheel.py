"""The wheel of this very `comp`, made from its files without network and build tools."""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import Path

import comp
from comp.bundles.targets.packages import OWN
from comp.bundles.zipped import write_zip

_PARTS = (".py", ".j2", ".yaml", ".typed", ".json", ".txt")
_FORM = "Wheel-Version: 1.0\nGenerator: comp\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def own_wheel(folder: Path) -> Path:
    """Write comp-<version>-py3-none-any.whl to `folder`; its path.

    The files are those that run now, from an installation or from a checkout. The form is that of
    the binary distribution format (PEP 427).
    """
    about = metadata.distribution(OWN)
    name = f"{OWN}-{about.version}"
    content = {**package_files()}
    info = f"{name}.dist-info"
    known = about.read_text("METADATA") or about.read_text("PKG-INFO") or ""  # or of a checkout
    content[f"{info}/METADATA"] = known.encode()
    content[f"{info}/WHEEL"] = _FORM.encode()
    content[f"{info}/entry_points.txt"] = (about.read_text("entry_points.txt") or "").encode()
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in content.items()]
    record = f"{info}/RECORD"
    content[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    path = folder / f"{name}-py3-none-any.whl"
    write_zip(path, content)
    return path


def package_files() -> dict[str, bytes]:
    """The name in the wheel -> content of every file of the package, and of its configs."""
    package = Path(comp.__file__).parent
    configs = package / "configs"
    found = dict(_below(package, f"{OWN}/"))
    if not configs.is_dir():  # a checkout has them beside the package
        found.update(_below(package.parent / "configs", f"{OWN}/configs/"))
    return dict(sorted(found.items()))


def _below(folder: Path, inside: str) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in _PARTS and path.is_file())
    return {f"{inside}{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
