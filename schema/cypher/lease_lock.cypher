// Write-lock a memory's lease. What it sets never changes: the value is read before the lock is had.
MATCH (l:Lease {memory: $memory})
SET l.memory = l.memory
