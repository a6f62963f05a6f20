"""`comp export`: the networks of a bundle as ONNX beside their weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from comp.bundles.contents import MANIFEST, ONNX, Bundle, read_bundle
from comp.bundles.engines import farthest
from comp.core import checksums, files, locks
from comp.core.errors import ModelError, UsageError, first
from comp.core.progress import track
from comp.data.images.resize import OWN_SIZE
from comp.models.device import Device, choose_device
from comp.models.onnx_engine import refuse_without_onnx, write_onnx

TOLERANCE = 1e-4  # of an answer


@dataclass(frozen=True)
class Exported:
    """A bundle with ONNX files.

    `farthest`  the largest difference of an answer to that of torch, on noise
    """

    path: Path
    files: tuple[str, ...]
    farthest: float
    bytes: int


def export_onnx(folder: Path) -> Exported:
    """Write each network of a bundle as ONNX, and compare what it answers with torch.

    Raises UsageError without the packages and for images that keep their own size, ModelError for
    a network that torch cannot write, or that answers otherwise: the bundle is as it was.
    """
    refuse_without_onnx("comp export --onnx", to_write=True)
    if folder.is_file():
        raise UsageError(f"{folder}: unpack the zip first; the files are written into its folder")
    bundle = read_bundle(folder)
    own = [run for run, config in bundle.configs.items() if config.image.resize in OWN_SIZE]
    if own:
        raise UsageError(
            f"{folder}: the images of {first(own)} keep their own size (image.resize), which an "
            "ONNX file of one size cannot answer; torch does"
        )
    device = choose_device("fp32", deterministic=False, where="cpu", one_shape=True)
    with locks.writing(folder, name=".lock", keep=False):
        written: dict[str, str] = {}
        worst = 0.0
        for member in track(bundle.members, len(bundle.members), "ONNX"):
            name = str(Path(member.file).with_suffix(ONNX))
            config = bundle.configs[member.run]
            image = config.image
            net = bundle.net(member, device)
            write_onnx(net.module, image.size, folder / name, image.channels)
            written[member.file] = name
            worst = max(worst, _compared(bundle, member.file, name, device))
        known = dict(bundle.manifest)
        digests = {name: checksums.digest_file(folder / name) for name in written.values()}
        known["files"] = {**known["files"], **digests}
        files.write_json(folder / MANIFEST, {**known, "onnx": written})
    size = sum((folder / name).stat().st_size for name in written.values())
    return Exported(folder, tuple(written.values()), worst, size)


def _compared(bundle: Bundle, file: str, name: str, device: Device) -> float:
    """How far a written network is from torch; ModelError where that is too far."""
    digest = checksums.digest_file(bundle.folder / name)
    known = {**bundle.manifest, "files": {**bundle.manifest["files"], name: digest}}
    member = next(one for one in bundle.members if one.file == file)
    other = replace(bundle, manifest=known)
    net = other.net(replace(member, onnx=name), device, engine="onnx")
    worst = farthest(bundle, member, device, net)
    if not worst <= TOLERANCE:
        raise ModelError(
            f"{bundle.folder / name}: answers {worst:.1e} away from torch, more than "
            f"{TOLERANCE:g}; it is not used"
        )
    return worst
