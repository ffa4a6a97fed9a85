// How far every writer is.
MATCH (w:Writer {memory: $memory})
RETURN w.id, w.incarnation, w.sequence, w.content, w.forgotten
ORDER BY w.id
