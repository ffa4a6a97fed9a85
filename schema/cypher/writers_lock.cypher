// Write-lock all writers by number.
MATCH (w:Writer {memory: $memory})
WITH w ORDER BY w.id
SET w.forgotten = w.forgotten
