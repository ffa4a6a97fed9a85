// The heads of all memories on this server.
MATCH (m:Memory)
RETURN m.name, m.incarnation, m.epoch, m.key_version, m.vector_dim, m.value_dim, m.config
ORDER BY m.name
