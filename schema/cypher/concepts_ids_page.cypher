// The next ids after an id.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id > $after
RETURN c.id ORDER BY c.memory, c.id LIMIT $limit
