// The next epoch begins, unless another process has the lease: the first half of the twin of aesg.consolidate.
// Lease, head and Writer 0 are locked already. The fence grows: whoever had the lease and was paused is refused.
MATCH (m:Memory {name: $memory, epoch: $epoch})
MATCH (l:Lease {memory: $memory}) WHERE l.holder IS NULL OR l.expires_at <= timestamp()
MATCH (w:Writer {memory: $memory, id: 0})
SET l.fence = l.fence + 1, l.expires_at = 0, l.holder = null
SET m.epoch = m.epoch + 1
SET w.sequence = w.sequence + 1
SET w.content = w.sequence
CREATE (:Consolidation {memory: $memory, epoch: m.epoch, at: timestamp() / 1000.0, writer: 0, sequence: w.sequence})
RETURN m.epoch AS epoch
