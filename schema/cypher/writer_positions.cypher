// How far every writer is.
MATCH (w:Writer {memory: $memory}) WHERE w.id >= 0
RETURN w.id, w.incarnation, w.sequence, w.content, w.forgotten
ORDER BY w.id
