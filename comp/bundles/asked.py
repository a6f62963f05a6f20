"""The images that a judge's machine asks for: its folder, and its sample, ids, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comp.bundles.contents import Bundle
from comp.bundles.sample_form import id_of, read_ids, sample_for
from comp.config.schema import DataConfig
from comp.core.errors import DataError, UsageError, complain, first
from comp.data.folds.skipped import grey_image
from comp.data.index.file_match import Listing, build_index, list_files, match, no_folders
from comp.data.index.index import Index
from comp.data.layouts.layouts import sample_ids
from comp.submission import Competition


@dataclass(frozen=True)
class Asked:
    """What is to be answered.

    `index`    the images; a grey one stands for each that is missing
    `missing`  the ids without a file
    `data`     how the sample is read; `sample`: where it is, None where there is none
    """

    index: Index
    missing: tuple[str, ...]
    data: DataConfig
    sample: Path | None

    def competition(self, bundle: Bundle, index: Index) -> Competition:
        """How the answers are written. index: the images, with files that have a size."""
        return Competition(
            sample=self.sample,
            data=self.data,
            task=bundle.task,
            metric=bundle.metric,
            test=index,
            classes=bundle.classes,
            codes=bundle.codes,
            write=bundle.config.submission.write,
            coco_numbers=dict(bundle.manifest["coco_numbers"]),
            empty=bundle.config.submission.empty,
            likely=bundle.config.submission.likely,
            decimals=bundle.config.submission.decimals,
            boxes=bundle.config.submission.boxes,
        )


def read_asked(
    bundle: Bundle, images: Path, work: Path, *, sample: Path | None = None, ids: Path | None = None
) -> Asked:
    """The images of a folder that a sample, or a list of ids, asks for; without either, all.

    work: a folder for the sample that is written then, and for the grey image. Raises UsageError
    for both, DataError for ids that cannot be, that mean several files, or where none has one.
    """
    if sample is not None and ids is not None:
        raise UsageError("--sample, --ids: give one of them; a sample lists the ids itself")
    complain(DataError, f"{images}: no images:", no_folders(images))
    listing = list_files(images)
    data = bundle.config.data.model_copy(
        update={
            "root": str(images),
            "layout": "masks" if bundle.task.spatial else "csv",
            "test_images": ".",
            "sample_submission": None if sample is None else str(sample.absolute()),
        }
    )
    if sample is None:
        names = _ids(bundle, listing, ids, data)
        if ids is not None or bundle.sample.path is not None:
            sample = sample_for(names, bundle.sample, data, bundle.classes, work / "asked.csv")
            data = data.model_copy(update={"sample_submission": str(sample.absolute())})
    if sample is not None and not sample.is_file():
        raise DataError(f"{sample}: no such file; name the sample submission")
    names, complaints = sample_ids(data, bundle.task, listing, told=True)
    complain(DataError, f"{sample or images}: not ids of images:", complaints)
    return _with_files(bundle, names, listing, work, data, sample)


def _ids(bundle: Bundle, listing: Listing, ids: Path | None, data: DataConfig) -> list[str]:
    if ids is not None:
        return read_ids(ids, data)
    names = sorted(id_of(name, bundle.sample) for name, _ in listing.images)
    if len({*names}) < len(names):
        raise DataError(
            f"{listing.folder}: several images have one name without its suffix, which is how the "
            "sample writes ids; give --sample or --ids"
        )
    if not names:
        raise DataError(f"{listing.folder}: no images; name the folder of the images with --images")
    return names


def _with_files(
    bundle: Bundle,
    ids: Sequence[str],
    listing: Listing,
    work: Path,
    data: DataConfig,
    sample: Path | None,
) -> Asked:
    there = [name for name in ids if listing.find(name)]
    if not there:
        raise DataError(
            f"{listing.folder}: none of the {len(ids)} ids has an image there "
            f"({first(ids, 3)}); its images: {first((n for n, _ in listing.images), 3) or 'none'}. "
            "Name the folder of the images with --images"
        )
    found, complaints = match(there, listing)
    complain(DataError, f"{listing.folder}: not one image for each id:", complaints)
    grey = grey_image(work) if len(there) < len(ids) else Path()
    paths = [found.get(name, grey) for name in ids]
    missing = tuple(name for name in ids if name not in found)
    return Asked(build_index(ids, paths, bundle.classes), missing, data, sample)
