// Concepts live on otherwise than before. Each group has in common what is not in a list.
UNWIND $groups AS g
UNWIND range(0, size(g.id) - 1) AS i
MATCH (c:Concept {memory: $memory, id: g.id[i]})
SET c.modified_at = g.modified_at, c.writer = $writer, c.sequence = g.sequence,
    c.version = g.version, c.region_id = g.region_id, c.encoder = g.encoder, c.born_epoch = g.born_epoch,
    c.relevance = g.relevance[i], c.touched_epoch = g.touched_epoch[i],
    c.use_frequency = g.use_frequency[i], c.contradictions = g.contradictions[i],
    c.expires_epoch = g.expires_epoch[i], c.fades_at = g.fades_at[i]
