// Delete some of a memory's tombstones.
MATCH (r:Removed {memory: $memory})
WHERE r.id IS NOT NULL
WITH r LIMIT $limit
DETACH DELETE r
RETURN count(*)
