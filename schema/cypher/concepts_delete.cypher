// Concepts go, with their edges.
UNWIND $groups AS g
UNWIND g.id AS id
MATCH (c:Concept {memory: $memory, id: id})
DETACH DELETE c
