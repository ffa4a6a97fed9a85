// The next concepts after an id, as far as aging knows them, write-locked first.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids
RETURN c.id, c.relevance, c.touched_epoch, c.born_epoch, c.use_frequency, c.contradictions
ORDER BY c.id
