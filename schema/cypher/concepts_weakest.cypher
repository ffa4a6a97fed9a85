// The weakest concepts and when they fade.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.fades_at IS NOT NULL
RETURN c.id, c.fades_at ORDER BY c.memory, c.fades_at, c.id LIMIT $limit
