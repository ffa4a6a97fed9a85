// Give a writer a new incarnation.
MATCH (w:Writer {memory: $memory, id: $writer})
SET w.incarnation = w.incarnation + 1
