"""How good predictions are: :class:`Evaluator`, on torchmetrics and sacrebleu (``pip install 'aesg-graph[train]'``)."""

from aesg_graph.training.evaluation.evaluator import Domain, Evaluator

__all__ = ["Domain", "Evaluator"]
