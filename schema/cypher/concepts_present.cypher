// Those of some ids that are concepts.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids
RETURN c.id
