// Those of some ids that a person's own predicate is true of, which stands for {predicate}. Sent to be read alone.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id IN $ids AND (
{predicate}
)
RETURN c.id
