// Who has the memory's lease, and for how many seconds more (negative: it has run out).
MATCH (l:Lease {memory: $memory})
RETURN l.holder, l.fence, (coalesce(l.expires_at, 0) - timestamp()) / 1000.0
