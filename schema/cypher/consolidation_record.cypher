// A consolidation: the epoch moved on.
CREATE (:Consolidation {memory: $memory, epoch: $epoch, at: $at, writer: $writer, sequence: $sequence,
    concepts: COLLECT { MATCH (w:Writer {memory: $memory}) WHERE w.id >= 0 RETURN sum(w.concepts) }[0]})
