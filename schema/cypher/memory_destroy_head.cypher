// Delete a memory's lease and head.
OPTIONAL MATCH (l:Lease {memory: $memory})
DETACH DELETE l
WITH count(*) AS leases
MATCH (m:Memory {name: $memory})
DETACH DELETE m
