// Concepts carry the stamp of what changed them.
UNWIND $groups AS g
UNWIND g.id AS id
MATCH (c:Concept {memory: $memory, id: id})
SET c.modified_at = g.modified_at, c.writer = $writer, c.sequence = g.sequence
