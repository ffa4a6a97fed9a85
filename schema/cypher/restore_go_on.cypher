// Whether a memory is still unfinished and this restore's, which holds its head meanwhile.
MATCH (m:Memory {name: $memory, incarnation: 0, restore: $restore})
SET m.restore = $restore
RETURN m.name
