"""What a trainer takes as data: a DataLoader, a Dataset, or a list of pairs; all become batches (input, target)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from aesg_graph.errors import AESGTrainingError

EMPTY = "Empty dataset provided. Training requires at least one sample."
FORMATS = "a DataLoader, a Dataset, or a list of (input, target) pairs"


class Pairs(Dataset[Any]):
    """A list of (input, target) as a Dataset."""

    def __init__(self, pairs: Sequence[Any]) -> None:
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, place: int) -> Any:
        return self._pairs[place]


def adapt_data(
    data: Any, batch_size: int = 32, shuffle: bool = False, generator: torch.Generator | None = None
) -> DataLoader[Any]:
    """A DataLoader of whatever a trainer takes: itself, or a new one over a Dataset or a list of pairs.

    ``generator`` draws the order where ``shuffle`` asks for one. AESGTrainingError for an empty dataset, for other
    data, and for a list whose items are not pairs.
    """
    if isinstance(data, DataLoader):
        _require_samples(data.dataset)
        return data
    if isinstance(data, list | tuple):
        _require_pairs(data)
        data = Pairs(data)
    if not isinstance(data, Dataset):
        raise AESGTrainingError(f"Unsupported data: got a {type(data).__name__}, expected {FORMATS}")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise AESGTrainingError(f"batch_size is {batch_size!r}, expected an integer of at least 1")
    _require_samples(data)
    ordered = shuffle and not isinstance(data, IterableDataset)
    return DataLoader(data, batch_size, shuffle=ordered or None, collate_fn=collated, generator=generator)


def _require_samples(dataset: object) -> None:
    try:
        empty = len(dataset) == 0  # type: ignore[arg-type]  # whether it has a length is just what is asked
    except TypeError:
        return  # an iterable dataset: the first batch will tell
    if empty:
        raise AESGTrainingError(EMPTY)


def _require_pairs(items: Sequence[Any]) -> None:
    for place, item in enumerate(items):
        if not isinstance(item, list | tuple) or len(item) != 2:
            what = f"has {len(item)} parts" if isinstance(item, list | tuple) else f"is a {type(item).__name__}"
            raise AESGTrainingError(f"Item {place} of the list {what}, expected an (input, target) pair of length 2")
    if not items:
        raise AESGTrainingError(EMPTY)


def collated(samples: list[Any]) -> Any:
    """Samples as one batch, as torch does it; AESGTrainingError where they do not fit together."""
    try:
        return default_collate(samples)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise AESGTrainingError(
            f"The samples do not make a batch ({error}); pad them to one shape, or give a DataLoader with a collate_fn"
        ) from error


def pair(batch: Any, place: int) -> tuple[Any, Any]:
    """A batch as (input, target); AESGTrainingError, saying which batch, for any other form."""
    if isinstance(batch, list | tuple) and len(batch) == 2:
        return batch[0], batch[1]
    what = f"{len(batch)} parts" if isinstance(batch, list | tuple) else f"a {type(batch).__name__}"
    raise AESGTrainingError(f"Batch {place} is {what}, expected (input, target)")


def on_device(value: Any, device: torch.device) -> Any:
    """Every tensor in a batch, however nested, on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: on_device(part, device) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [on_device(part, device) for part in value]
    return value


def rows(value: Any) -> int:
    """How many samples a batch has: the length of its first tensor; 1 where there is none."""
    if isinstance(value, Tensor):
        return len(value) if value.dim() else 1
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    return next((rows(part) for part in parts), 1)


def call(model: Any, given: Any) -> Any:
    """The model's answer: several inputs are given as several arguments, a mapping by name."""
    if isinstance(given, Mapping):
        return model(**given)
    return model(*given) if isinstance(given, list | tuple) else model(given)


def generators(loader: DataLoader[Any]) -> list[torch.Generator]:
    """The generators of random numbers in a loader, each once: its order and its workers' seeds come of them."""
    batches = loader.batch_sampler
    holders = (loader, loader.sampler, batches, getattr(batches, "sampler", None))
    found = (getattr(holder, "generator", None) for holder in holders)
    return list({id(one): one for one in found if isinstance(one, torch.Generator)}.values())


def in_groups(loader: Iterable[Any], size: int) -> Iterator[list[tuple[int, Any, Any]]]:
    """Batches, numbered from 0 and taken ``size`` at a time; the last group may be smaller."""
    group: list[tuple[int, Any, Any]] = []
    for place, batch in enumerate(loader):
        group.append((place, *pair(batch, place)))
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
