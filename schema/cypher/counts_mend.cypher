// Writer 0's share of the counts makes up for what the others' do not say.
MATCH (w:Writer {memory: $memory, id: 0})
SET w.concepts = w.concepts + $concepts, w.edges = w.edges + $edges, w.tombstones = w.tombstones + $tombstones
