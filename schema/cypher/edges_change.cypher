// Edges of one type are used.
UNWIND range(0, size($source) - 1) AS i
MATCH (a:Concept {memory: $memory, id: $source[i]})
MATCH (b:Concept {memory: $memory, id: $target[i]})
MATCH (a)-[e:{type}]->(b)
SET e.weight = $weight[i], e.confidence = $confidence[i], e.use_count = $use_count[i],
    e.created_at = $created_at[i], e.touched_epoch = $touched_epoch[i]
