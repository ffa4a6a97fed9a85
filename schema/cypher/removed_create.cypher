// Tombstones of concepts that went.
UNWIND $groups AS g
UNWIND range(0, size(g.id) - 1) AS i
CREATE (:Removed {memory: $memory, id: g.id[i], into: g.into_id[i], writer: $writer, sequence: g.sequence,
    removed_at: g.removed_at, vector_removed: false})
