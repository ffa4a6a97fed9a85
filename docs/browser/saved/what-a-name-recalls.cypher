// What a name recalls: spreading activation, strongest first (needs the plugin)
MATCH (c:Concept {memory: $memory})
WHERE c.name = $name
WITH c LIMIT 1
CALL aesg.spread($memory, [[[c.id, 1.0]]], {top_k: 20}) YIELD node, activation
RETURN node, round(activation, 3) AS activation
ORDER BY activation DESC
