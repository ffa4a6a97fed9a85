// Of a concept's arcs only the strongest count; ties by neighbour, type and direction.
  CALL (arcs) {
    UNWIND arcs AS arc
    WITH arc ORDER BY arc[1] DESC, arc[2], arc[3], arc[4] LIMIT $max_fanout
    RETURN collect(arc) AS strongest
  }
  WITH waves, strongest AS arcs
