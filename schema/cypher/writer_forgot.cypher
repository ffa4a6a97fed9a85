// Record that a writer's tombstones were dropped.
MATCH (w:Writer {memory: $memory, id: $writer})
SET w.forgotten = CASE WHEN w.forgotten > $sequence THEN w.forgotten ELSE $sequence END,
    w.tombstones = w.tombstones - $count
