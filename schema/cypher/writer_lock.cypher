// Write-lock a writer.
MATCH (w:Writer {memory: $memory, id: $writer})
SET w.forgotten = w.forgotten
