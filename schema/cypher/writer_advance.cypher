// A writer is one further, for a change that no batch told of, or for nothing at all.
MATCH (w:Writer {memory: $memory, id: $writer})
SET w.sequence = w.sequence + 1
SET w.content = CASE WHEN $changed THEN w.sequence ELSE w.content END
RETURN w.sequence
