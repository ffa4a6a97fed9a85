// Write-lock all writers by number. What it sets never changes: the value is read before the lock is had.
MATCH (w:Writer {memory: $memory}) WHERE w.id >= 0
WITH w ORDER BY w.id
SET w.memory = w.memory
