// Edges of declared types that lead from some concepts out of the memory go.
MATCH (c:Concept)-[e]->(other:Concept)
WHERE c.memory = $memory AND c.id IN $ids AND other.memory <> $memory AND type(e) IN $types
DELETE e
