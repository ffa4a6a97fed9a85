// Removed concepts whose vectors are not yet known to be gone.
MATCH (r:Removed {memory: $memory, vector_removed: false})
RETURN r.id ORDER BY r.id LIMIT $limit
