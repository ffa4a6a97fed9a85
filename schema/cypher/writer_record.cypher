// Record how far a writer is, and what it added to the counts.
MATCH (w:Writer {memory: $memory, id: $writer})
SET w.sequence = $sequence, w.content = coalesce($content, w.content),
    w.concepts = w.concepts + $concepts, w.edges = w.edges + $edges, w.tombstones = w.tombstones + $tombstones
