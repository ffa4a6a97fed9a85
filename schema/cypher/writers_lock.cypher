// Write-lock all writers by number.
MATCH (w:Writer {memory: $memory}) WHERE w.id >= 0
WITH w ORDER BY w.id
SET w.forgotten = w.forgotten
