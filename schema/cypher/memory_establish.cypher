// Make a memory's head, its lease and its Writer 0 (procedures and people) unless they exist.
MERGE (m:Memory {name: $name})
ON CREATE SET m += $head
MERGE (l:Lease {memory: $name})
ON CREATE SET l.fence = 0, l.expires_at = 0
MERGE (w:Writer {memory: $name, id: 0})
ON CREATE SET w.incarnation = 1, w.sequence = 0, w.content = 0, w.forgotten = 0,
              w.concepts = 0, w.edges = 0, w.tombstones = 0
