"""Lives of learners: begun in a process of their own, and ended."""

import functools
import multiprocessing
import os
import time
from pathlib import Path

from learner import FINISHED, live_and_die


@functools.cache
def fork_server():
    """A server that has the learner loaded, kernels and all: lives are short, and importing is long."""
    # The server finds modules to preload by its environment alone.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["preload"])
    return context


def live(directory, settings, seed, step, nth, delay, sociable=False):
    """Run a learner until it is dead; everything that it said, and whether it was killed."""
    child, pipe = begin(directory, settings, seed, step, nth, sociable)
    if step is None:
        time.sleep(delay)  # the moment is meant to be any
        child.kill()
    return end(child, pipe)


def begin(directory, settings, seed, step, nth, sociable=False):
    """A learner that has begun its life, and the pipe that it tells by."""
    context = fork_server()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=live_and_die, args=(directory, settings, seed, step, nth, theirs, sociable))
    child.start()
    theirs.close()
    return child, ours


def end(child, pipe):
    """Everything that a learner said until it was dead, and whether it was killed."""
    said = []
    try:
        while True:
            said.append(pipe.recv())
    except (EOFError, OSError):
        pass
    child.join(120)
    assert child.exitcode in (0, -9), f"the learner failed by itself: {child.exitcode}"
    return said, child.exitcode == -9 and (not said or said[-1][0] != FINISHED)
