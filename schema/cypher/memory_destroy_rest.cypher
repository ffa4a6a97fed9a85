// Delete some of what a memory has beside concepts.
MATCH (n:Removed|Consolidation|Writer|Lease)
WHERE n.memory = $memory
WITH n LIMIT $limit
DETACH DELETE n
RETURN count(*)
