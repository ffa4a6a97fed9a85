// Whether a writer's number has never been in an id.
RETURN NOT EXISTS { MATCH (w:Writer {memory: $memory, id: $writer}) }
   AND NOT EXISTS { MATCH (c:Concept) WHERE c.memory = $memory AND $low <= c.id <= $high }
   AND NOT EXISTS { MATCH (r:Removed) WHERE r.memory = $memory AND $low <= r.id <= $high }
