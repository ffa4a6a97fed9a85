// Concepts get names and texts.
UNWIND $groups AS g
UNWIND range(0, size(g.id) - 1) AS i
MATCH (c:Concept {memory: $memory, id: g.id[i]})
SET c.name = g.name[i], c.text = g.text[i]
