// Record when concepts expire and fade.
UNWIND range(0, size($ids) - 1) AS i
MATCH (c:Concept {memory: $memory, id: $ids[i]})
SET c.expires_epoch = $expires_epoch[i], c.fades_at = $fades_at[i]
