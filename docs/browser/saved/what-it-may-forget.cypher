// What it may forget within a hundred epochs if nothing is used, and what it is bound to (needs the plugin)
CALL aesg.due($memory, 100, 25) YIELD node, in_epochs, relevance
OPTIONAL MATCH path = (node)-[]-(:Concept {memory: $memory})
RETURN node, in_epochs, round(relevance, 3) AS relevance, collect(path)[..3] AS paths
