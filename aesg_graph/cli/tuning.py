"""The command that tries parameters out on a sample of queries: tune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesg_graph.cli import answers
from aesg_graph.cli.answers import answering, as_object
from aesg_graph.cli.options import AsJson

if TYPE_CHECKING:
    from aesg_graph.config import AESGConfig

NONE: Path | None = None


def tune(
    queries: Annotated[Path, typer.Argument(help="Queries as they come, [N, D], at least 20.", metavar="QUERIES.npy")],
    values: Annotated[Path | None, typer.Option(help="What they mean, [N, V].", metavar="FILE.npy")] = NONE,
    labels: Annotated[
        Path | None, typer.Option(help="Instead of values: integers or texts [N].", metavar="FILE.npy")
    ] = NONE,
    config: Annotated[
        Path | None, typer.Option(help="What all candidates share: AESGConfig.to_json().", metavar="FILE.json")
    ] = NONE,
    passes: Annotated[int, typer.Option(min=1, help="How often the sample is taught.", metavar="N")] = 1,
    most: Annotated[int, typer.Option(min=20, help="Of a larger sample, draw so many rows.", metavar="N")] = 5000,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture (.png, .svg, .pdf).", metavar="FILE")] = NONE,
    everything: Annotated[bool, typer.Option("--all", help="Show beaten candidates too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Propose novelty thresholds from a sample of queries.

    It says whether to centre them, too. Each candidate teaches four fifths of the sample to a memory in a temporary
    directory and asks it the rest. Prints what each did, the proposal, and the lines of Python that follow it. Changes
    nothing.

    Files are NumPy's .npy; pickled ones are refused. With values or labels, the proposal is the smallest memory whose
    answers are as good as the best; without, the one after which more concepts explain little more.

    Example: aesg tune queries.npy --labels labels.npy --plot tuning.png
    """
    with answering(as_json):
        from aesg_graph.engine.tuning import fit_config
        from aesg_graph.engine.tuning_plot import require_plots

        if plot is not None:
            require_plots()  # now, not after a minute's work
        given = {"sample": _array(queries), "values": _array(values), "labels": _array(labels)}
        shared = _configuration(config)
        with answers.progress(as_json) as tell:
            fit = fit_config(**given, config=shared, passes=passes, most=most, progress=tell)
        if plot is not None:
            fit.plot(plot)
    if as_json:
        as_object(fit.as_dict())
    else:
        print(fit.report(everything))


def _array(path: Path | None) -> Any:
    """The array in a .npy file, None for no file; AESGStorageError for anything else."""
    import numpy as np

    from aesg_graph.errors import AESGStorageError

    if path is None:
        return None
    try:
        # Mapped, so that a header which promises more than the file holds is an error and not a flood.
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise AESGStorageError(f"{path} cannot be read ({error}), expected an array in NumPy's .npy format") from error
    if not isinstance(found, np.ndarray):
        found.close()
        raise AESGStorageError(f"{path} holds several arrays, expected one, in NumPy's .npy format")
    return np.array(found)


def _configuration(path: Path | None) -> AESGConfig | None:
    from aesg_graph.config import AESGConfig
    from aesg_graph.errors import AESGStorageError

    if path is None:
        return None
    try:
        return AESGConfig.from_json(path.read_bytes())
    except OSError as error:
        raise AESGStorageError(f"{path} cannot be read ({error}), expected a configuration in JSON") from error


COMMANDS = (tune,)
