// The next tombstones after an id.
MATCH (r:Removed)
WHERE r.memory = $memory AND r.id > $after
WITH r ORDER BY r.memory, r.id LIMIT $limit
RETURN collect([r.id, coalesce(r.into, -1), r.writer, r.sequence, r.removed_at])
