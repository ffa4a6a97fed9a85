// How much a memory holds, its epoch, what is due, and who looks after it: the twin of aesg.stats.
MATCH (m:Memory {name: $memory})
CALL {
  MATCH (w:Writer {memory: $memory}) WHERE w.id >= 0
  RETURN sum(w.concepts) AS concepts, sum(w.edges) AS edges, sum(w.tombstones) AS tombstones, count(*) AS writers
}
CALL {
  MATCH (r:Removed {memory: $memory, vector_removed: false})
  RETURN count(*) AS unswept
}
CALL (m) {
  MATCH (c:Concept)
  USING INDEX c:Concept(memory, expires_epoch)
  WHERE c.memory = $memory AND c.expires_epoch <= m.epoch
  RETURN count(*) AS due
}
CALL (m) {
  MATCH (n:Consolidation)
  WHERE n.memory = $memory AND n.epoch = m.epoch
  RETURN max(n.at) AS consolidated_at
}
OPTIONAL MATCH (l:Lease {memory: $memory}) WHERE l.expires_at > timestamp()
RETURN concepts, edges, tombstones, unswept, m.epoch AS epoch, due, writers, m.incarnation AS incarnation,
       consolidated_at, l.holder AS holder
