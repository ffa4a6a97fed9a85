"""The benchmark of the import runs at a tiny size, and would say if something did not come."""

from __future__ import annotations

import importing
import numpy as np
import pytest
from settings import DIM, Setting

from aesg_graph.engine.moving import Place
from aesg_graph.interchange.aesg import import_aesg
from aesg_graph.interchange.aesg.layout import node_type


@pytest.mark.slow
def test_importing_what_aesg_made(tiny: Setting) -> None:
    figures = importing.measure(tiny)
    kinds = ["embedded", "embedded: most memory", "all there already", "looked at alone"]
    assert [figure.case for figure in figures[1:]] == [f"300 concepts, {kind}" for kind in kinds]
    assert all(figure.ours > 0 for figure in figures)


def test_the_benchmark_sees_what_is_missing(tiny: Setting) -> None:
    folder, made = importing.made_by_aesg(tiny, 300)
    assert made.case.startswith("300 concepts and ")
    nodes = np.memmap(folder / "nodes.aesg", node_type(DIM), mode="r+")
    nodes["id"][20] = nodes["id"][30]  # as can happen among a hundred thousand
    nodes.flush()
    place = Place.named(str(tiny.place("imported")))
    import_aesg(folder, place)
    importing.expect_everything(folder, place)
    edges = np.memmap(folder / "edges.aesg", mode="r+")
    edges[:8] = edges[36:44]
    edges.flush()
    with pytest.raises(RuntimeError, match="edges were to come"):
        importing.expect_everything(folder, place)
