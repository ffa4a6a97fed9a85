// Concepts live on otherwise than before.
UNWIND range(0, size($id) - 1) AS i
MATCH (c:Concept {memory: $memory, id: $id[i]})
SET c.modified_at = $modified_at[i], c.writer = $writer, c.sequence = $sequence[i],
    c.relevance = $relevance[i], c.touched_epoch = $touched_epoch[i], c.born_epoch = $born_epoch[i],
    c.use_frequency = $use_frequency[i], c.contradictions = $contradictions[i],
    c.expires_epoch = $expires_epoch[i], c.fades_at = $fades_at[i],
    c.version = $version[i], c.region_id = $region_id[i], c.encoder = $encoder[i]
