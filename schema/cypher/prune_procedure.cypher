// Remove what is due, weakest first, by the plugin, in transactions of its own.
CALL aesg.prune($memory, $params) YIELD pruned
RETURN pruned
