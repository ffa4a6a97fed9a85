// Delete some of a memory's writers.
MATCH (w:Writer {memory: $memory})
WHERE w.id IS NOT NULL
WITH w LIMIT $limit
DETACH DELETE w
RETURN count(*)
