"""A concept's neighbourhood drawn as Neo4j Browser would show it, with widths by weight, which Browser cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
from matplotlib.lines import Line2D

from aesg_graph import AESGMemory

# The colours of docs/browser/aesg.grass.
COLOURS = {"noun": "#8DCC93", "verb": "#F79767", "adjective": "#C990C0", "adverb": "#57C7E3"}
OTHER, GREY = "#D9C8AE", "#A5ABB6"
NEAR, FAR = 14, 3
"""The strongest edges of the concept itself, and of each of its neighbours, that are drawn."""
PLACES = {0: 0.0, 1: 1.0, 2: 2.05}
"""How far from the middle what is so many edges away is."""
ALONE = 1.7
"""The room that a neighbour takes which leads nowhere, in terms of one further out."""
AREAS = {0: 4600, 1: 3200, 2: 2600}
LETTERS = {0: 11.0, 1: 9.0, 2: 8.0}
"""Areas of circles and sizes of letters in points, by distance."""
SIZE = 16, 12
LONGEST = 22


def picture(memory: AESGMemory, centre: int, path: Path) -> None:
    """Draw what lies within two edges of a concept to a PNG file."""
    graph = neighbourhood(memory, centre)
    place = arranged(graph, centre)
    figure, axes = plt.subplots(figsize=SIZE, dpi=100)
    _edges(axes, graph, place)
    _concepts(axes, graph, place)
    _legend(axes, graph)
    axes.set_axis_off()
    axes.set_aspect("equal")
    figure.tight_layout(pad=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def neighbourhood(memory: AESGMemory, centre: int) -> Any:
    """The strongest edges of a concept and of its neighbours, each neighbour's with new ones alone."""
    graph = nx.DiGraph()
    _add(graph, memory, centre, 0)
    around = []
    for edge in memory.neighbors(centre)[:NEAR]:
        around.append(_join(graph, memory, edge, centre, 1))
    for near in around:
        fresh = [e for e in memory.neighbors(near) if not {e.source, e.target} <= set(graph)]
        for edge in fresh[:FAR]:
            _join(graph, memory, edge, near, 2)
    return graph


def _join(graph: Any, memory: AESGMemory, edge: Any, here: int, distance: int) -> int:
    other = int(edge.target if edge.source == here else edge.source)
    if other not in graph:
        _add(graph, memory, other, distance)
    graph.add_edge(edge.source, edge.target, type=edge.type, weight=edge.weight)
    return other


def _add(graph: Any, memory: AESGMemory, id: int, distance: int) -> None:
    concept = memory.concept(id)
    graph.add_node(id, name=concept.name or str(id), kind=concept.kind, distance=distance)


def arranged(graph: Any, centre: int) -> dict[int, Any]:
    """Places: the concept in the middle, its neighbours on a ring, and theirs outside, each beside its own."""
    tree = nx.bfs_tree(graph.to_undirected(as_view=True), centre)
    leaves = {id: ALONE if graph.nodes[id]["distance"] == 1 else 1.0 for id in tree if tree.out_degree(id) == 0}
    for id in reversed(list(tree)):
        leaves.setdefault(id, sum(leaves[child] for child in tree[id]))
    place, spans = {centre: np.zeros(2)}, {centre: (0.0, 2 * np.pi)}
    for id in tree:
        start, end = spans[id]
        step = (end - start) / max(1, leaves[id])
        for child in tree[id]:
            spans[child] = start, start + step * leaves[child]
            start = spans[child][1]
            angle = sum(spans[child]) / 2
            stagger = 0.16 * (len(spans) % 2) if graph.nodes[child]["distance"] == 2 else 0.0
            radius = PLACES[graph.nodes[child]["distance"]] + stagger
            place[child] = radius * np.array([np.cos(angle) * SIZE[0] / SIZE[1], np.sin(angle)])
    return place


def _edges(axes: Any, graph: Any, place: dict[int, Any]) -> None:
    for a, b, edge in graph.edges(data=True):
        arrow = {"arrowstyle": "-|>", "lw": _width(edge["weight"]), "color": GREY}
        arrow |= {"shrinkA": _radius(graph, a), "shrinkB": _radius(graph, b)}
        axes.annotate("", place[b], place[a], arrowprops=arrow, zorder=1)
        turn = np.degrees(np.arctan2(*(place[b] - place[a])[::-1]))
        axes.text(
            *((place[a] + place[b]) / 2),
            edge["type"].replace("_", " ").lower(),
            rotation=(turn + 90) % 180 - 90,
            rotation_mode="anchor",
            fontsize=7,
            color="#4A4F59",
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none"},
            zorder=2,
        )


def _concepts(axes: Any, graph: Any, place: dict[int, Any]) -> None:
    for id, concept in graph.nodes(data=True):
        area, lines = AREAS[concept["distance"]], wrapped(concept["name"])
        axes.scatter(*place[id], s=area, c=COLOURS.get(concept["kind"], OTHER), edgecolors="#5B6270", lw=0.8, zorder=3)
        axes.text(
            *place[id],
            lines,
            fontsize=min(LETTERS[concept["distance"]], 3.1 * _radius(graph, id) / max(map(len, lines.split("\n")))),
            ha="center",
            va="center",
            zorder=4,
        )


def _width(weight: float) -> float:
    return 0.6 + 7 * max(0.0, weight - 0.4)


def _radius(graph: Any, id: int) -> float:
    """Of a concept's circle, in points."""
    return float(AREAS[graph.nodes[id]["distance"]] ** 0.5 / 2)


def wrapped(name: str) -> str:
    """A name in lines that fit into a circle."""
    short = name if len(name) <= LONGEST else name[: LONGEST - 1].rstrip() + "…"
    return short.replace(" ", "\n").replace("-", "-\n")


def _legend(axes: Any, graph: Any) -> None:
    kinds = sorted({concept["kind"] for _, concept in graph.nodes(data=True)})
    dot = {"marker": "o", "ls": "", "ms": 12, "mec": "#5B6270"}
    marks = [Line2D([], [], mfc=COLOURS.get(kind, OTHER), label=kind, **dot) for kind in kinds]
    weights = [Line2D([], [], lw=_width(w), color=GREY, label=f"weight {w}") for w in (0.5, 0.7, 0.9)]
    axes.legend(handles=marks + weights, loc="lower right", frameon=False, fontsize=9)
