// Concepts get names and texts.
UNWIND range(0, size($id) - 1) AS i
MATCH (c:Concept {memory: $memory, id: $id[i]})
SET c.name = $name[i], c.text = $text[i]
