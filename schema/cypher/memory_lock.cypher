// Write-lock a memory's head.
MATCH (m:Memory {name: $memory})
SET m.incarnation = m.incarnation
