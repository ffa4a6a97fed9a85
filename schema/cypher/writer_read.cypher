// A writer's number, incarnation and sequence.
MATCH (w:Writer {memory: $memory, id: $writer})
RETURN w.id, w.incarnation, w.sequence
