// Edges of one type go.
UNWIND $groups AS g
UNWIND range(0, size(g.source) - 1) AS i
MATCH (a:Concept {memory: $memory, id: g.source[i]})
MATCH (b:Concept {memory: $memory, id: g.target[i]})
MATCH (a)-[e:{type}]->(b)
DELETE e
