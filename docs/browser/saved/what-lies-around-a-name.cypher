// What lies around a name: its strongest edges, and theirs
MATCH (c:Concept {memory: $memory})
WHERE c.name = $name
WITH c LIMIT 1
MATCH near = (c)-[e]-(n:Concept {memory: $memory})
WITH c, n, near, e.weight AS weight
ORDER BY weight DESC LIMIT 14
CALL (c, n) {
  MATCH far = (n)-[e]-(f:Concept {memory: $memory}) WHERE f <> c
  WITH far, e.weight AS weight ORDER BY weight DESC LIMIT 3
  RETURN collect(far) AS beyond
}
RETURN near, beyond
