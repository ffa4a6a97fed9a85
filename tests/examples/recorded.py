"""Runs a script, and writes down every batch that its journal acknowledges: ``recorded.py FOLDER SCRIPT ARGUMENTS``."""

import os
import runpy
import sys
from pathlib import Path

from aesg_graph.sync import Journal

folder, script = Path(sys.argv[1]), sys.argv[2]
written = open(folder / f"{os.environ['RANK']}.batches", "ab")  # noqa: SIM115 - open as long as the process
append = Journal.append


def recorded(journal, *given, **named):
    batch = append(journal, *given, **named)
    data = batch.encode()
    written.write(len(data).to_bytes(8, "little") + data)
    written.flush()
    return batch


Journal.append = recorded
sys.argv = sys.argv[2:]
sys.path.insert(0, str(Path(script).parent))
runpy.run_path(script, run_name="__main__")
