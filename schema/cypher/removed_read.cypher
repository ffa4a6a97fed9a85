// Tombstones by id.
MATCH (r:Removed)
WHERE r.memory = $memory AND r.id IN $ids
RETURN r.id, coalesce(r.into, -1), r.writer, r.sequence, r.vector_removed
