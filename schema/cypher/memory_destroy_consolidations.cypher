// Delete some of a memory's consolidations.
MATCH (n:Consolidation {memory: $memory})
WHERE n.epoch IS NOT NULL
WITH n LIMIT $limit
DETACH DELETE n
RETURN count(*)
