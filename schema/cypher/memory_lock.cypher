// Write-lock a memory's head. What it sets never changes: the value is read before the lock is had.
MATCH (m:Memory {name: $memory})
SET m.name = m.name
