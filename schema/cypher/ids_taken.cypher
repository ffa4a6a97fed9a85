// Which ids in some ranges belong or belonged to a concept.
UNWIND $ranges AS range
MATCH (c:Concept)
WHERE c.memory = $memory AND range[0] <= c.id <= range[1]
RETURN c.id AS id
UNION ALL
UNWIND $ranges AS range
MATCH (r:Removed)
WHERE r.memory = $memory AND range[0] <= r.id <= range[1]
RETURN r.id AS id
