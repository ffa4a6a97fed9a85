// Concepts that may be pruned, weakest first.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.expires_epoch <= $epoch
RETURN c.id ORDER BY c.fades_at, c.id LIMIT $limit
