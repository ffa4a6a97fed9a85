// Write-lock a writer. What it sets never changes: the value is read before the lock is had.
MATCH (w:Writer {memory: $memory, id: $writer})
SET w.memory = w.memory
