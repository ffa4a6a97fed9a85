// Write-lock concepts in the order of the list; which of them there are.
UNWIND $ids AS id
MATCH (c:Concept {memory: $memory, id: id})
SET c.version = c.version
RETURN collect(c.id)
