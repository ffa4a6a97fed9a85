// Every wave of the front that is strong enough, with every arc that it takes and the share of it that the arc's
// strength is worth. {arcs} lists the arcs of c as [neighbour, strength, ...].
  UNWIND front AS lit
  WITH lit[0] AS c, [wave IN lit[1] WHERE wave[1] >= $min_energy] AS waves
  WHERE size(waves) > 0
  WITH c, waves, c.region_id AS region
  WITH c, waves, {arcs} AS arcs
  {strongest}
  WITH waves, arcs, reduce(sum = 0.0, arc IN arcs | sum + arc[1]) AS total
  WITH waves, arcs, $decay / CASE WHEN total > 1 THEN total ^ $fan ELSE 1.0 END AS share
  UNWIND arcs AS arc
  UNWIND waves AS wave
