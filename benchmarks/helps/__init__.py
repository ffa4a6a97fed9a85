"""Where memory helps, and where it does not: the tasks of ``where_memory_helps.py`` and the sides that do them."""

import sys
from pathlib import Path

# The digits and WordNet are read as the examples read them.
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
