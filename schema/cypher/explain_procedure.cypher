// The strongest paths by which energy reached a concept; only the plugin can tell.
CALL aesg.explain($memory, $seeds, $target, $params) YIELD path, share, part, ids
RETURN ids, [e IN relationships(path) | type(e)] AS types, [e IN relationships(path) | startNode(e).id] AS starts,
       share, part
