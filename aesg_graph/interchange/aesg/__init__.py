"""Reading what `aesg` 0.3 and 3.0 wrote, directories and packs, into a memory of ours; without that package."""

from aesg_graph.interchange.aesg.findings import Finding
from aesg_graph.interchange.aesg.importing import Report, import_aesg

__all__ = ["Finding", "Report", "import_aesg"]
