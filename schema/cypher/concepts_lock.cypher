// Write-lock concepts in the order of the list; which of them there are.
// What it sets never changes: the value is read before the lock is had.
UNWIND $ids AS id
MATCH (c:Concept {memory: $memory, id: id})
SET c.created_at = c.created_at
RETURN collect(c.id)
