// What a memory truly holds, counted one by one.
CALL () { MATCH (c:Concept) WHERE c.memory = $memory AND c.id IS NOT NULL RETURN count(*) AS concepts }
CALL () {
    MATCH (c:Concept) WHERE c.memory = $memory AND c.id IS NOT NULL
    MATCH (c)-[e]->(:Concept) WHERE type(e) IN $types
    RETURN count(*) AS edges
}
CALL () { MATCH (r:Removed) WHERE r.memory = $memory AND r.id IS NOT NULL RETURN count(*) AS tombstones }
RETURN concepts, edges, tombstones
