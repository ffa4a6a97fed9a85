// Edges of one type are used.
UNWIND $groups AS g
UNWIND range(0, size(g.source) - 1) AS i
MATCH (a:Concept {memory: $memory, id: g.source[i]})
MATCH (b:Concept {memory: $memory, id: g.target[i]})
MATCH (a)-[e:{type}]->(b)
SET e.weight = g.weight[i], e.confidence = g.confidence, e.use_count = g.use_count,
    e.created_at = g.created_at, e.touched_epoch = g.touched_epoch
