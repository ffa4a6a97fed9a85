// Writers come back, each as another incarnation. What there is counts as Writer 0's.
UNWIND range(0, size($id) - 1) AS i
MERGE (w:Writer {memory: $memory, id: $id[i]})
SET w.incarnation = $incarnation[i], w.sequence = $sequence[i], w.content = $content[i],
    w.forgotten = $forgotten[i], w.concepts = 0, w.edges = 0, w.tombstones = 0
