// The edges between pairs of concepts, either way round.
UNWIND range(0, size($sources) - 1) AS i
MATCH (a:Concept {memory: $memory, id: $sources[i]})
MATCH (b:Concept {memory: $memory, id: $targets[i]})
MATCH (a)-[e]-(b)
RETURN collect([startNode(e).id, endNode(e).id, type(e), e.weight, e.confidence, e.use_count, e.created_at,
                e.touched_epoch])
