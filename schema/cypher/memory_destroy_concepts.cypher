// Delete some of a memory's concepts with their edges.
MATCH (c:Concept {memory: $memory})
WHERE c.id IS NOT NULL
WITH c LIMIT $limit
DETACH DELETE c
RETURN count(*)
