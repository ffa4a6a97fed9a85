// How many concepts may be pruned in an epoch.
MATCH (c:Concept)
USING INDEX c:Concept(memory, expires_epoch)
WHERE c.memory = $memory AND c.expires_epoch <= $epoch
RETURN count(*)
