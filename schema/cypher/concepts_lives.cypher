// The rows of concepts as far as operations read or change them.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids
RETURN collect([c.id, c.relevance, c.touched_epoch, c.born_epoch, c.use_frequency, c.contradictions, c.expires_epoch,
                c.fades_at, c.version, c.region_id, c.kind, c.encoder,
                CASE WHEN $texts THEN c.name END, CASE WHEN $texts THEN c.text END])
