// Every edge that touches one of some concepts, once.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids
MATCH (c)-[e]->(other:Concept)
RETURN collect([c.id, other.id, type(e), e.weight, e.confidence, e.use_count, e.created_at, e.touched_epoch]) AS rows
UNION ALL
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids
MATCH (c)<-[e]-(other:Concept)
WHERE NOT other.id IN $ids
RETURN collect([other.id, c.id, type(e), e.weight, e.confidence, e.use_count, e.created_at, e.touched_epoch]) AS rows
