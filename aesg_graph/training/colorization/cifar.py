"""CIFAR-10 from where it already lies: the folder that its authors' archive, and torchvision, unpack to."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.errors import AESGTrainingError

FOLDER = "cifar-10-batches-py"
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))


class _ArraysOnly(pickle.Unpickler):
    """Reads pickled arrays and nothing else: a pickle can otherwise run anything."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in {"_reconstruct", "ndarray", "dtype"}:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, expected arrays alone")


def cifar_pictures(directory: Path, limit: int) -> npt.NDArray[np.uint8] | None:
    """The first pictures [N, 32, 32, 3]; None where CIFAR-10 is not in ``directory``.

    AESGTrainingError for files that are not those of CIFAR-10.
    """
    batches = [directory / FOLDER / name for name in BATCHES]
    if not all(batch.is_file() for batch in batches):
        return None
    read: list[npt.NDArray[np.uint8]] = []
    for batch in batches:
        if sum(map(len, read)) < limit:
            read.append(_batch(batch))
    return np.concatenate(read)[:limit]


def _batch(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with path.open("rb") as file:
            pixels = _ArraysOnly(file, encoding="bytes").load()[b"data"]
        planes: npt.NDArray[np.uint8] = np.asarray(pixels, np.uint8).reshape(-1, 3, 32, 32)
    except Exception as error:  # a damaged pickle raises almost anything
        raise AESGTrainingError(f"{path}: {error}; expected a batch of CIFAR-10 as its archive holds it") from error
    return planes.transpose(0, 2, 3, 1)
