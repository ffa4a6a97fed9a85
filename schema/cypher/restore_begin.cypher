// Mark a memory as unfinished (incarnation 0): nobody opens it, and its lease is nobody's.
MERGE (m:Memory {name: $memory})
SET m = $head, m.incarnation = 0, m.restore = $restore
MERGE (l:Lease {memory: $memory})
SET l.fence = coalesce(l.fence, 0) + 1, l.expires_at = 0
REMOVE l.holder
