// Tombstones by id.
MATCH (r:Removed)
WHERE r.memory = $memory AND r.id IN $ids
RETURN collect([r.id, coalesce(r.into, -1), r.writer, r.sequence, r.removed_at])
