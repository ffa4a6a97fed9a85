// A memory's lease.
MATCH (l:Lease {memory: $memory})
RETURN l.fence
