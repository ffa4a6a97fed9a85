// Write-lock concepts in the order of the list.
UNWIND $ids AS id
MATCH (c:Concept {memory: $memory, id: id})
SET c.version = c.version
RETURN c.id
