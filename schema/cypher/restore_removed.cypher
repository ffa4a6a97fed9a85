// Tombstones come back; their vectors are gone.
UNWIND range(0, size($id) - 1) AS i
MERGE (r:Removed {memory: $memory, id: $id[i]})
SET r = {memory: $memory, id: $id[i], into: $into_id[i], writer: $writer[i], sequence: $sequence[i],
    removed_at: $removed_at[i], vector_removed: true}
