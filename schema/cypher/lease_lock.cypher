// Write-lock a memory's lease.
MATCH (l:Lease {memory: $memory})
SET l.fence = l.fence
