// Let go of a lease that is still one's own. It is locked already.
MATCH (l:Lease {memory: $memory, fence: $fence})
SET l.expires_at = 0
REMOVE l.holder
