// Spreading activation for a batch of queries, by the plugin.
CALL aesg.spread($memory, $seeds, $params) YIELD row, id, activation
RETURN row, collect([id, activation]) AS best
