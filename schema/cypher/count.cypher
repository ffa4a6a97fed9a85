// What all writers together added and took away.
MATCH (w:Writer {memory: $memory})
RETURN sum(w.concepts), sum(w.edges), sum(w.tombstones)
