// Edges of one type go.
UNWIND range(0, size($source) - 1) AS i
MATCH (a:Concept {memory: $memory, id: $source[i]})
MATCH (b:Concept {memory: $memory, id: $target[i]})
MATCH (a)-[e:{type}]->(b)
DELETE e
