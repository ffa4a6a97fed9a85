// Drop old tombstones that nobody needs: the vector is gone, the writer is past them, and what they merged into is
// itself forgotten.
MATCH (r:Removed {memory: $memory, vector_removed: true})
WHERE r.removed_at < $before
MATCH (w:Writer {memory: $memory, id: r.writer})
WHERE r.sequence < w.sequence
  AND (r.into IS NULL
    OR (NOT EXISTS { MATCH (c:Concept {memory: $memory, id: r.into}) }
      AND NOT EXISTS { MATCH (heir:Removed {memory: $memory, id: r.into}) }))
WITH r, r.writer AS writer, r.sequence AS sequence LIMIT $limit
DELETE r
RETURN writer, max(sequence), count(*)
