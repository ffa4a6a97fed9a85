// Every edge that touches one of some concepts, once.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids
MATCH (c)-[e]->(other:Concept)
RETURN c.id AS source, other.id AS target, type(e) AS type, e.weight AS weight, e.confidence AS confidence,
       e.use_count AS use_count, e.created_at AS created_at, e.touched_epoch AS touched_epoch
UNION ALL
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids
MATCH (c)<-[e]-(other:Concept)
WHERE NOT other.id IN $ids
RETURN other.id AS source, c.id AS target, type(e) AS type, e.weight AS weight, e.confidence AS confidence,
       e.use_count AS use_count, e.created_at AS created_at, e.touched_epoch AS touched_epoch
