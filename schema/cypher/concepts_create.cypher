// Concepts are born.
UNWIND range(0, size($id) - 1) AS i
CREATE (:Concept {memory: $memory, id: $id[i], relevance: $relevance[i], touched_epoch: $touched_epoch[i],
    born_epoch: $born_epoch[i], use_frequency: $use_frequency[i], contradictions: $contradictions[i],
    expires_epoch: $expires_epoch[i], fades_at: $fades_at[i], modified_at: $modified_at[i], writer: $writer,
    sequence: $sequence[i], created_at: $created_at[i], version: $version[i], region_id: $region_id[i],
    kind: $kind[i], encoder: $encoder[i], name: $name[i], text: $text[i], source: $source[i]})
