"""The parts of the WordNet demonstration: tables, keys, loading, recalling, a picture."""
