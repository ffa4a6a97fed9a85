// Concepts carry the stamp of what changed them.
UNWIND range(0, size($id) - 1) AS i
MATCH (c:Concept {memory: $memory, id: $id[i]})
SET c.modified_at = $modified_at[i], c.writer = $writer, c.sequence = $sequence[i]
