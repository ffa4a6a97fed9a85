"""How a torch module holds an engine: opened when needed, shared and counted, copied, pickled, let go."""

from __future__ import annotations

import copy
import json
import logging
import os
import weakref
from typing import Any, Self

import torch
from torch import Tensor, nn

from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine, acquire, release, release_dropped, retain
from aesg_graph.errors import AESGConfigError, AESGMemoryError
from aesg_graph.settings import StoreSettings
from aesg_graph.tensors import torch_product

log = logging.getLogger("aesg_graph")


class EngineHolder(nn.Module):
    """A module with an engine in a directory.

    Its ``state_dict()`` holds, beside parameters, one uint8 tensor that names the memory and its position. Copies share
    the engine, pickles name the directory and open it when they are first used. A pickle holds no password and no API
    key: whoever opens it has these in the environment.
    """

    _own: tuple[str, ...] = ("_engine", "_finalizer", "_closed")
    """Attributes that copies and pickles do not take over."""
    _clock: Tensor

    def __init__(
        self, directory: str | os.PathLike[str] | None, config: AESGConfig | None, stores: StoreSettings | None
    ) -> None:
        super().__init__()
        if config is not None and not isinstance(config, AESGConfig):
            raise AESGConfigError(f"config is a {type(config).__name__}, expected an AESGConfig or None")
        if stores is not None and not isinstance(stores, StoreSettings):
            raise AESGConfigError(f"stores is a {type(stores).__name__}, expected StoreSettings or None")
        self.directory = _absolute(directory if directory is not None else config and config.storage_directory)
        self._wanted = config
        self._stores = stores
        self._wanted_mode: str | None = None
        self._prepare()
        self._open()

    def _prepare(self) -> None:
        """What a new, copied or unpickled module has of its own."""
        self._engine: MemoryEngine | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        self._closed = False
        # Written by the retrieval op, so that a compiler neither drops nor reorders calls that learn.
        with torch.inference_mode(False):
            self.register_buffer("_clock", torch.zeros(1, dtype=torch.int64, device="cpu"), persistent=False)

    # -- life -------------------------------------------------------------------------------------------------------

    @property
    def engine(self) -> MemoryEngine:
        """The engine below, opened if this module was unpickled and not used since; AESGMemoryError when closed."""
        return self._open()

    def _open(self) -> MemoryEngine:
        if self._closed:
            raise AESGMemoryError(f"The memory in {self.directory} is closed, expected an open one")
        if self._engine is None:
            self._attach(acquire(self.directory, self._wanted, self._stores, self._wanted_mode))
        assert self._engine is not None
        return self._engine

    def _attach(self, engine: MemoryEngine) -> None:
        self._engine = engine
        engine.recaller.product = torch_product
        self._finalizer = weakref.finalize(self, release_dropped, engine)
        self._finalizer.atexit = False

    def move_to(self, directory: str | os.PathLike[str], stores: StoreSettings) -> None:
        """From now on be the memory in another directory, made if absent; the one so far is released."""
        before = self.engine
        there = acquire(directory, before.config, stores, before.mode.value)
        if self._finalizer is not None and self._finalizer.detach() is not None:
            release(before)
        self.directory, self._stores = _absolute(directory), stores
        self._attach(there)

    def close(self) -> None:
        """Flush and release the directory; the last user of a directory in this process closes it.

        Closing twice is allowed. Raises AESGStorageError if the stores cannot take what waits: it stays in the journal.
        """
        self._closed = True
        if self._finalizer is not None and self._finalizer.detach() is not None and self._engine is not None:
            release(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- torch's own protocols --------------------------------------------------------------------------------------

    def get_extra_state(self) -> Tensor:
        """Name and position of the memory as one uint8 tensor; the concepts stay where they are."""
        position = {"directory": os.path.basename(self.directory), "position": self._position()}
        return torch.frombuffer(bytearray(json.dumps(position).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Compare with the memory that was saved: another one, or another position, is worth a word in the log."""
        try:
            saved = json.loads(bytes(state.to("cpu", torch.uint8).tolist()))
            name, position = saved["directory"], saved["position"]
        except (AttributeError, TypeError, ValueError, KeyError):
            log.warning("the saved state of the memory in %s cannot be read; it is left as it is", self.directory)
            return
        here = self._position()
        if name != os.path.basename(self.directory):
            log.warning("the parameters were saved with the memory %r, this one is %s", name, self.directory)
        elif None not in (position, here) and position != here:
            log.warning("the parameters were saved with a memory of %s batches, this one has %s", position, here)

    def _position(self) -> int | None:
        return None if self._engine is None else self._engine.position

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        optional = prefix + "_extra_state"
        if optional in missing_keys:
            missing_keys.remove(optional)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for own in self._own:
            state.pop(own, None)
        state["_buffers"] = {name: buffer for name, buffer in self._buffers.items() if name != "_clock"}
        if self._stores is not None:
            state["_stores"] = self._stores.without_secrets()
        state["_wanted_mode"] = self._wanted_mode if self._engine is None else self._engine.mode.value
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]  # torch left it so
        if self._stores is not None:
            self._stores = self._stores.with_secrets()
        self._prepare()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        twin._stores = self._stores
        twin._closed = self._closed
        if self._engine is not None and not self._closed and retain(self._engine):
            twin._attach(self._engine)
        return twin

    def extra_repr(self) -> str:
        """What ``print(model)`` says of the memory."""
        return repr(self.directory)


def _absolute(directory: object) -> str:
    """The directory as an absolute path; AESGConfigError for what is no path."""
    if directory is None:
        raise AESGConfigError("No directory was given, expected AESGMemory(directory) or AESGConfig.storage_directory")
    path = os.fspath(directory) if isinstance(directory, str | os.PathLike) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise AESGConfigError(f"directory is {directory!r}, expected a path as text, or an object like pathlib.Path")
    return os.path.abspath(os.path.expanduser(path))
