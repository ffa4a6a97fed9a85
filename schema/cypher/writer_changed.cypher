// What carries the stamp of a writer's later batches.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.writer = $writer AND c.sequence > $after
RETURN c.id AS id
UNION ALL
MATCH (r:Removed)
WHERE r.memory = $memory AND r.writer = $writer AND r.sequence > $after
RETURN r.id AS id
