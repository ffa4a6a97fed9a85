// The edges that start at a concept in a range of ids.
MATCH (c:Concept)
WHERE c.memory = $memory AND $after < c.id <= $last
MATCH (c)-[e]->(other:Concept)
RETURN collect([c.id, other.id, type(e), e.weight, e.confidence, e.use_count, e.created_at, e.touched_epoch])
