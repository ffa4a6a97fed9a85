// Whether a memory, whose head is locked, is still unfinished and this restore's.
MATCH (m:Memory {name: $memory, incarnation: 0, restore: $restore})
RETURN m.name
