// Strong edges alone: what has a weight of at least 0.8
MATCH path = (a:Concept {memory: $memory})-[e]->(b:Concept {memory: $memory})
WHERE e.weight >= 0.8
RETURN path LIMIT 60
