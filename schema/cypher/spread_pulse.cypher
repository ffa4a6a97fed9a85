// One pulse: what the front passes on is the next front.
CALL (front) {
  {passing}
  WITH arc[0] AS n, wave[0] AS row, sum(wave[1] * share * arc[1]) AS x
  WITH n, collect([row, x]) AS waves
  RETURN collect([n, waves]) AS next
}
WITH seen + next AS seen, next AS front
