"""The mapped cache of hot concepts: one memory access away, disposable, never in the way of the truth in the stores."""

from aesg_graph.cache.cache import ConceptCache
from aesg_graph.cache.header import recorded_stamp
from aesg_graph.cache.layout import CacheLayout, CacheStamp
from aesg_graph.cache.lessons import Applied
from aesg_graph.cache.reading import Gathered
from aesg_graph.cache.seeds import Product, numpy_product

__all__ = [
    "Applied",
    "CacheLayout",
    "CacheStamp",
    "ConceptCache",
    "Gathered",
    "Product",
    "numpy_product",
    "recorded_stamp",
]
