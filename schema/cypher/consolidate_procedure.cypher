// The next epoch begins, by the plugin, in transactions of its own.
CALL aesg.consolidate($memory, {prune: false}) YIELD epoch
RETURN epoch
