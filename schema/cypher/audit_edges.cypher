// Edges that start at a concept in some ranges of ids and are as no operation makes them: their ends, their type, whether
// it is declared, and whether they stay within the memory.
UNWIND $ranges AS range
MATCH (c:Concept)
WHERE c.memory = $memory AND range[0] <= c.id <= range[1]
MATCH (c)-[e]->(other:Concept)
WITH c, other, type(e) AS type, count(*) AS parallel, min(
    CASE WHEN (e.weight IS :: FLOAT NOT NULL OR e.weight IS :: INTEGER NOT NULL)
              AND (e.confidence IS :: FLOAT NOT NULL OR e.confidence IS :: INTEGER NOT NULL)
              AND (e.created_at IS :: FLOAT NOT NULL OR e.created_at IS :: INTEGER NOT NULL)
              AND e.use_count IS :: INTEGER NOT NULL AND e.touched_epoch IS :: INTEGER NOT NULL
         THEN CASE WHEN 0 <= e.weight <= 1 THEN 1 ELSE 0 END
         ELSE 0 END) AS whole
WHERE whole = 0 OR parallel > 1 OR c.id = other.id OR other.memory <> $memory OR NOT type IN $types
    OR (type IN $symmetric AND c.id > other.id)
RETURN c.id, other.id, type, type IN $types, other.memory = $memory
