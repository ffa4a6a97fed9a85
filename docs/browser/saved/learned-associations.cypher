// What came to be associated by being recalled together, strongest first
MATCH path = (a:Concept {memory: $memory})-[e:ASSOCIATION]->(b:Concept {memory: $memory})
RETURN path ORDER BY e.weight DESC, e.use_count DESC LIMIT 60
