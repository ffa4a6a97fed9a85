// Why a name recalls another: the strongest paths by which energy came (needs the plugin)
MATCH (a:Concept {memory: $memory}), (b:Concept {memory: $memory})
WHERE a.name = $name AND b.name = $other
WITH a, b LIMIT 1
CALL aesg.explain($memory, [[a.id, 1.0]], b.id, {limit: 5}) YIELD path, share, part
RETURN path, round(share, 4) AS share, round(part, 2) AS part
