// Tombstones of concepts that went.
UNWIND range(0, size($id) - 1) AS i
CREATE (:Removed {memory: $memory, id: $id[i], into: $into[i], writer: $writer, sequence: $sequence[i],
    removed_at: $removed_at[i], vector_removed: false})
