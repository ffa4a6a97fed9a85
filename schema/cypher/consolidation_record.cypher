// A consolidation: the epoch moved on.
CREATE (:Consolidation {memory: $memory, epoch: $epoch, at: $at, writer: $writer, sequence: $sequence})
