// Tombstones whose vectors are known to be gone.
UNWIND $ids AS id
MATCH (r:Removed {memory: $memory, id: id})
SET r.vector_removed = true
