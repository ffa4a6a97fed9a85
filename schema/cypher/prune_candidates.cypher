// The weakest concepts that may be pruned in an epoch, and with them their neighbours: all ids that are to be locked.
MATCH (c:Concept)
USING INDEX c:Concept(memory, expires_epoch)
WHERE c.memory = $memory AND c.expires_epoch <= $epoch
WITH c ORDER BY c.fades_at, c.id LIMIT $batch
WITH collect(c) AS candidates
CALL (candidates) {
  UNWIND candidates AS c
  MATCH (c)--(n:Concept) WHERE n.memory = $memory
  RETURN collect(DISTINCT n.id) AS near
}
RETURN [c IN candidates | c.id] AS ids, near
