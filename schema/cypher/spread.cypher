// Spreading activation for a batch of queries in one statement: the twin of aesg.spread.
// {pulses} stands for spread_pulse once for each pulse but the last, {passing} for spread_passing. Every concept of the
// front has its waves, pairs of a query's row and the energy that reached it in the last pulse.
UNWIND $seeds AS seed
MATCH (c:Concept {memory: $memory, id: seed[1]})
WITH seed[0] AS row, c, sum(seed[2]) AS x
WITH c, collect([row, x]) AS waves
WITH collect([c, waves]) AS front
WITH front, front AS seen
{pulses}
CALL (front, seen) {
  {passing}
  RETURN arc[0] AS c, wave[0] AS row, wave[1] * share * arc[1] AS x
UNION ALL
  UNWIND seen AS lit
  UNWIND lit[1] AS wave
  RETURN lit[0] AS c, wave[0] AS row, wave[1] AS x
}
WITH row, c.id AS id, sum(x) AS activation
WHERE activation > 0 AND id IS NOT NULL AND ($allowed IS NULL OR id IN $allowed)
WITH row, id, activation ORDER BY row, activation DESC, id
WITH row, collect([id, activation])[..$top_k] AS best
RETURN row, best ORDER BY row
