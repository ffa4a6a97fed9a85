// Concepts by id, with their stamps.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids
RETURN collect([c.id, c.kind, c.name, c.text, c.source, c.encoder, c.version, c.created_at, c.modified_at, c.born_epoch,
                c.touched_epoch, c.relevance, c.use_frequency, c.contradictions, coalesce(c.region_id, -1), c.writer,
                c.sequence])
