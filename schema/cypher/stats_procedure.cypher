// How much a memory holds and how it stands, by the plugin.
CALL aesg.stats($memory) YIELD concepts, edges, tombstones, unswept, epoch, due, writers, incarnation, consolidated_at,
    holder
RETURN concepts, edges, tombstones, unswept, epoch, due, writers, incarnation, consolidated_at, holder
