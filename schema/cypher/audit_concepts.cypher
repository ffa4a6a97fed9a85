// The next concepts after an id: the last one's id, and those that hands may have changed, with what expiry follows
// from. Not whole are those that lack a column, or have one of another type.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id > $after
WITH c ORDER BY c.memory, c.id LIMIT $limit
WITH c,
    c.kind IS :: STRING NOT NULL AND c.encoder IS :: STRING NOT NULL AND c.version IS :: INTEGER NOT NULL
    AND c.name IS :: STRING AND c.text IS :: STRING AND c.source IS :: STRING AND c.region_id IS :: INTEGER
    AND (c.created_at IS :: FLOAT NOT NULL OR c.created_at IS :: INTEGER NOT NULL)
    AND (c.modified_at IS :: FLOAT NOT NULL OR c.modified_at IS :: INTEGER NOT NULL)
    AND c.born_epoch IS :: INTEGER NOT NULL AND c.touched_epoch IS :: INTEGER NOT NULL
    AND c.use_frequency IS :: INTEGER NOT NULL AND c.contradictions IS :: INTEGER NOT NULL
    AND c.writer IS :: INTEGER NOT NULL AND c.sequence IS :: INTEGER NOT NULL
    AND c.expires_epoch IS :: INTEGER AND (c.fades_at IS :: FLOAT OR c.fades_at IS :: INTEGER)
    AND (c.relevance IS :: FLOAT NOT NULL OR c.relevance IS :: INTEGER NOT NULL)
    AND c.relevance > 0 AS whole
WITH c, whole,
    CASE WHEN whole THEN log(c.relevance) END AS strength,
    CASE WHEN whole THEN $threshold <= 0 OR c.use_frequency - c.contradictions >= $frequency END AS never
WITH c, whole, strength, never, CASE WHEN never = false THEN (strength - log($threshold)) / $rate END AS wait
WITH c, whole, strength, CASE
    WHEN wait IS NULL THEN null
    WHEN c.touched_epoch + wait < c.born_epoch + $age THEN c.born_epoch + $age + 1
    WHEN wait < 1e18 THEN c.touched_epoch + toInteger(floor(wait)) + 1
    ELSE -1 END AS due
RETURN max(c.id), collect(CASE
    WHEN NOT whole THEN [c.id, false]
    WHEN coalesce(due, -1) = coalesce(c.expires_epoch, -1)
         AND abs(c.fades_at - c.touched_epoch - strength / $rate) <= $tolerance * (1 + abs(c.fades_at)) THEN null
    ELSE [c.id, true, c.relevance, c.touched_epoch, c.born_epoch, c.use_frequency, c.contradictions,
          coalesce(c.expires_epoch, -1), c.fades_at] END)
