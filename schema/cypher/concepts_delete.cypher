// Concepts go, with their edges.
UNWIND $ids AS id
MATCH (c:Concept {memory: $memory, id: id})
DETACH DELETE c
