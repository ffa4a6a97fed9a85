// Take a free lease or keep one's own, by the server's clock. A change of hands makes the fence grow.
// The lease is locked already.
MATCH (l:Lease {memory: $memory})
WHERE l.holder IS NULL OR l.holder = $holder OR l.expires_at <= timestamp()
SET l.fence = CASE WHEN l.holder = $holder AND l.expires_at > timestamp() THEN l.fence ELSE l.fence + 1 END,
    l.holder = $holder,
    l.expires_at = timestamp() + toInteger($seconds * 1000)
RETURN l.fence
