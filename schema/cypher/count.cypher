// What all writers together added and took away.
MATCH (w:Writer {memory: $memory}) WHERE w.id >= 0
RETURN sum(w.concepts), sum(w.edges), sum(w.tombstones)
