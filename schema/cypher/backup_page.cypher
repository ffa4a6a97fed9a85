// The next concepts after an id, with their stamps.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id > $after
WITH c ORDER BY c.memory, c.id LIMIT $limit
RETURN collect([c.id, c.kind, c.name, c.text, c.source, c.encoder, c.version, c.created_at, c.modified_at, c.born_epoch,
                c.touched_epoch, c.relevance, c.use_frequency, c.contradictions, coalesce(c.region_id, -1), c.writer,
                c.sequence])
