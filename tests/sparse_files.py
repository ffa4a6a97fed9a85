"""Vector shards preallocate most of their bytes: copies and digests of memories that skip what was never written."""

import hashlib
import os


def written(path):
    """The parts of a file that take room on disk: where each begins, and its bytes."""
    with open(path, "rb") as file:
        end, at = os.path.getsize(path), 0
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                return
            stop = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            file.seek(at)
            yield at, file.read(stop - at)
            at = stop


def copy_tree(source, target):
    """A copy of a folder, with its holes; where it is."""
    for folder, _, names in os.walk(source):
        there = target / os.path.relpath(folder, source)
        there.mkdir(parents=True)
        for name in names:
            path = os.path.join(folder, name)
            with open(there / name, "wb") as file:
                file.truncate(os.path.getsize(path))
                for at, data in written(path):
                    file.seek(at)
                    file.write(data)
    return target


def digest(path):
    """What a file says; zeros that were written and zeros that were not are the same."""
    said = hashlib.sha256(str(os.path.getsize(path)).encode())
    for at, data in written(path):
        for start in range(0, len(data), 4096):
            block = data[start : start + 4096]
            if block.strip(b"\0"):
                said.update(str(at + start).encode() + block)
    return said.hexdigest()
