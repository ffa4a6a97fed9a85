// What may be pruned within so many epochs from now if it is not used, weakest first: the twin of aesg.due.
MATCH (m:Memory {name: $memory})
MATCH (c:Concept)
USING INDEX c:Concept(memory, expires_epoch)
WHERE c.memory = $memory AND c.expires_epoch <= m.epoch + $epochs
WITH m, c ORDER BY c.fades_at, c.id LIMIT $limit
WITH m, c, c.relevance * m.relevance_decay ^ (m.epoch - c.touched_epoch) AS today
RETURN c AS node, c.id AS id, c.name AS name, c.expires_epoch AS expires_epoch,
       CASE WHEN c.expires_epoch > m.epoch THEN c.expires_epoch - m.epoch ELSE 0 END AS in_epochs,
       CASE WHEN today > 1 THEN 1.0 ELSE today END AS relevance
ORDER BY c.fades_at, c.id
