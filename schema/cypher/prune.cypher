// One batch of a prune, after Writer 0, the candidates and their neighbours were locked: the twin of aesg.prune.
// What is still due goes with its edges and leaves a tombstone; neighbours carry the stamp of the transaction.
MATCH (w:Writer {memory: $memory, id: 0})
MATCH (m:Memory {name: $memory, incarnation: $incarnation})
CALL {
  UNWIND $ids AS id
  MATCH (c:Concept {memory: $memory, id: id}) WHERE c.expires_epoch <= $epoch
  RETURN collect(c) AS gone, collect(c.id) AS ids
}
WITH w, gone, ids, w.sequence + 1 AS sequence, timestamp() / 1000.0 AS now
WHERE size(gone) > 0
CALL (gone) {
  UNWIND gone AS c
  MATCH (c)-[e]-(n:Concept) WHERE n.memory = $memory
  RETURN count(DISTINCT CASE WHEN type(e) IN $types THEN e END) AS edges, collect(DISTINCT n) AS near
}
CALL (ids) {
  UNWIND ids AS id
  MATCH (r:Removed {memory: $memory, id: id})
  RETURN count(*) AS before
}
FOREACH (n IN near | SET n.modified_at = now, n.writer = 0, n.sequence = sequence)
FOREACH (c IN gone | DETACH DELETE c)
FOREACH (id IN ids |
  MERGE (r:Removed {memory: $memory, id: id})
  SET r.writer = 0, r.sequence = sequence, r.removed_at = now, r.vector_removed = false
  REMOVE r.into)
SET w.sequence = sequence, w.content = sequence, w.concepts = w.concepts - size(ids), w.edges = w.edges - edges,
    w.tombstones = w.tombstones + size(ids) - before
RETURN size(ids) AS pruned
