"""Does memory help to colour gray pictures? :class:`ColorizationBenchmark` (``pip install 'aesg-graph[train]'``)."""

from aesg_graph.training.colorization.benchmark import ColorizationBenchmark
from aesg_graph.training.colorization.results import BenchmarkResult, Run

__all__ = ["BenchmarkResult", "ColorizationBenchmark", "Run"]
