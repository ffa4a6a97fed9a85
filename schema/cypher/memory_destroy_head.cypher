// Delete a memory's head.
MATCH (m:Memory {name: $memory})
DETACH DELETE m
