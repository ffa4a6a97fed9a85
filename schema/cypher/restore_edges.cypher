// Edges of one type come back as they were.
UNWIND range(0, size($source) - 1) AS i
MATCH (a:Concept {memory: $memory, id: $source[i]})
MATCH (b:Concept {memory: $memory, id: $target[i]})
MERGE (a)-[e:{type}]->(b)
SET e = {weight: $weight[i], confidence: $confidence[i], use_count: $use_count[i], created_at: $created_at[i],
    touched_epoch: $touched_epoch[i]}
