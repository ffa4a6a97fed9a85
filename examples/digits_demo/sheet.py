"""The second picture: the concepts that a memory has learned, as 8 x 8 images, with their strongest edges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt

from aesg_graph import AESGMemory, Edge

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from scipy.optimize import quadratic_assignment

from digits_demo.data import BRIGHTEST, CLASSES

SIDE = 8
ACROSS, DOWN = 5, 4
SHOWN = ACROSS * DOWN
"""So many of each class, those used most."""
PITCH = 1.35
"""From one tile to the next, in widths of a tile."""
TRIES = 10
"""So many arrangements of a class are tried."""
BETWEEN = 5
"""So many edges between different classes."""
WIDTH = 5.7
"""Of one of these, in tiles."""
LINE = "#D55E00"
PARENT = "abstraction"
"""The kind of a concept that stands for a group of others."""

Images = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Learned:
    """What a memory on pixels learned: ids [N], images [N, 8, 8], classes [N], uses [N], and the edges between them.

    Parents of groups, which reorganisation makes, are not among them: they may stand for several digits.
    """

    ids: list[int]
    images: Images
    classes: npt.NDArray[np.int64]
    uses: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    """[N, N], symmetric: the strongest edge between two concepts, 0 for none."""
    edges: list[Edge]
    parents: int


def learned(memory: AESGMemory, mean: Images, length: float) -> Learned:
    """Look into a memory. Keys are centred and of unit length: ``mean`` and ``length`` make pictures of them again."""
    nodes = memory.storage.nodes
    concepts = [memory.concept(id) for id in nodes["id"].tolist()]
    own = np.array([concept.kind != PARENT for concept in concepts])
    nodes, parents = nodes[own], int((~own).sum())
    ids = nodes["id"].tolist()
    place = {id: i for i, id in enumerate(ids)}
    classes = np.array([int(np.argmax(concept.value)) for concept in concepts if concept.kind != PARENT])
    weights = np.zeros((len(ids), len(ids)))
    found = {(e.source, e.target, e.type): e for id in ids for e in memory.neighbors(id)}
    edges = {key: edge for key, edge in found.items() if edge.source in place and edge.target in place}
    for edge in edges.values():
        a, b = place[edge.source], place[edge.target]
        weights[a, b] = weights[b, a] = max(weights[a, b], edge.weight)
    images = np.clip(mean + length * nodes["vector"], 0, BRIGHTEST).reshape(-1, SIDE, SIDE)
    strongest = sorted(edges.values(), key=lambda e: (-e.weight, -e.use_count, e.source, e.target))
    return Learned(ids, images, classes, nodes["use_frequency"], weights, strongest, parents)


def draw(found: Learned, path: Path) -> None:
    """Write the picture to ``path``."""
    with plt.rc_context({"font.size": 12, "font.family": "DejaVu Sans"}):
        figure = plt.figure(figsize=(10, 5.6), dpi=160, facecolor="white")
        for digit in range(CLASSES):
            row, column = divmod(digit, 5)
            axes = figure.add_axes((0.012 + 0.198 * column, 0.553 - 0.365 * row, 0.184, 0.33))
            _panel(axes, found, digit)
        _between(figure.add_axes((0.012, 0.0, 0.976, 0.1)), found)
        figure.text(0.016, 0.13, "Strongest edges between different digits", weight="bold")
        title = f"What the memory has learned: {len(found.ids)} concepts"
        if found.parents:
            title += f", and {found.parents} parents of groups"
        figure.text(0.012, 0.962, title, weight="bold", fontsize=15)
        figure.text(
            0.012,
            0.925,
            f"Of each digit the {SHOWN} used most, linked ones side by side; lines are edges, thicker is stronger.",
            color="#555555",
        )
        figure.savefig(path)
        plt.close(figure)


def _panel(axes: Axes, found: Learned, digit: int) -> None:
    """The concepts of one class on a grid."""
    own = np.flatnonzero(found.classes == digit)
    shown = own[np.argsort(-found.uses[own], kind="stable")][:SHOWN]
    weights = found.weights[np.ix_(shown, shown)]
    spots = arranged(weights)
    for i, j in zip(*np.nonzero(np.triu(weights)), strict=True):
        if np.abs(spots[i] - spots[j]).max() == 1:  # between tiles that touch; a longer line would run under others
            _line(axes, spots[i] * PITCH, spots[j] * PITCH, weights[i, j])
    for place, spot in zip(shown, spots, strict=True):
        _tile(axes, found.images[place], *(spot * PITCH))
    axes.set_xlim(-0.62, (ACROSS - 1) * PITCH + 0.62)
    axes.set_ylim((DOWN - 1) * PITCH + 0.62, -1.37)
    told = f"{len(own)} concepts" if len(own) <= SHOWN else f"{SHOWN} of {len(own)} concepts"
    axes.text(-0.5, -0.98, f"{digit}", weight="bold", fontsize=15, va="center")
    axes.text(
        0.25,
        -0.95,
        told,
        color="#555555",
        va="center",
        fontsize=11,
    )
    axes.set_aspect("equal")
    axes.set_anchor("NW")
    axes.axis("off")


def arranged(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Spots [N, 2] (column, row) on the grid that bring linked concepts together: quadratic assignment, by exchange."""
    grid = np.array([divmod(i, ACROSS)[::-1] for i in range(len(weights))], np.float64)
    apart = np.linalg.norm(grid[:, None] - grid[None], axis=-1)
    chance = np.random.default_rng(0)
    tried = [quadratic_assignment(weights**2, apart, "2opt", {"rng": chance}) for _ in range(TRIES)]
    return np.asarray(grid[min(tried, key=lambda result: result.fun).col_ind])


def _between(axes: Axes, found: Learned) -> None:
    """The strongest edges between concepts of different classes, one for each pair of classes."""
    place = {id: i for i, id in enumerate(found.ids)}
    pairs: dict[tuple[int, int], tuple[int, int, Edge]] = {}
    for edge in found.edges:
        a, b = sorted((place[edge.source], place[edge.target]), key=lambda i: int(found.classes[i]))
        classes = int(found.classes[a]), int(found.classes[b])
        if classes[0] != classes[1]:
            pairs.setdefault(classes, (a, b, edge))
    for column, (a, b, edge) in enumerate(list(pairs.values())[:BETWEEN]):
        left = column * WIDTH
        _line(axes, np.array([left + 0.5, 0.3]), np.array([left + 2.05, 0.3]), edge.weight)
        _tile(axes, found.images[a], left + 0.5, 0.3)
        _tile(axes, found.images[b], left + 2.05, 0.3)
        axes.text(left + 2.7, 0.08, f"{found.classes[a]} and {found.classes[b]}", va="center", weight="bold")
        kind = edge.type.lower().replace("_", " ")
        axes.text(left + 2.7, 0.58, f"{kind} {edge.weight:.2f}", va="center", color="#555555", fontsize=10)
    axes.set_xlim(-0.12, BETWEEN * WIDTH)
    axes.set_ylim(0.95, -0.3)
    axes.set_anchor("NW")
    axes.axis("off")


def _tile(axes: Axes, image: Images, x: float, y: float) -> None:
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=BRIGHTEST, extent=(x - 0.5, x + 0.5, y + 0.5, y - 0.5), zorder=2)
    axes.plot([x - 0.5, x + 0.5, x + 0.5, x - 0.5, x - 0.5], [y - 0.5, y - 0.5, y + 0.5, y + 0.5, y - 0.5],
              color="#888888", linewidth=0.6, zorder=3)  # fmt: skip


def _line(axes: Axes, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], weight: float) -> None:
    axes.plot(*np.stack([start, end]).T, color=LINE, linewidth=0.5 + 4.5 * weight**2, solid_capstyle="butt", zorder=1)
