// A memory is whole: from now on it can be opened.
MATCH (m:Memory {name: $memory})
SET m += $head
REMOVE m.restore
WITH m
MERGE (w:Writer {memory: $memory, id: 0})
ON CREATE SET w.incarnation = 1, w.sequence = 0, w.content = 0, w.forgotten = 0
SET w.concepts = $concepts, w.edges = $edges, w.tombstones = $tombstones
