// Concepts come back as they were, with labels by kind.
UNWIND range(0, size($id) - 1) AS i
MERGE (c:Concept {memory: $memory, id: $id[i]})
SET c = {memory: $memory, id: $id[i], kind: $kind[i], name: $name[i], text: $text[i], source: $source[i],
    encoder: $encoder[i], version: $version[i], created_at: $created_at[i], modified_at: $modified_at[i],
    born_epoch: $born_epoch[i], touched_epoch: $touched_epoch[i], relevance: $relevance[i],
    use_frequency: $use_frequency[i], contradictions: $contradictions[i], region_id: $region_id[i],
    writer: $writer[i], sequence: $sequence[i], expires_epoch: $expires_epoch[i], fades_at: $fades_at[i]}
SET c:$($labels[i])
