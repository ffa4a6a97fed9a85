// Edges of one type are born. Each group has in common what is not in a list.
UNWIND $groups AS g
UNWIND range(0, size(g.source) - 1) AS i
MATCH (a:Concept {memory: $memory, id: g.source[i]})
MATCH (b:Concept {memory: $memory, id: g.target[i]})
CREATE (a)-[:{type} {weight: g.weight[i], confidence: g.confidence, use_count: g.use_count,
    created_at: g.created_at, touched_epoch: g.touched_epoch}]->(b)
