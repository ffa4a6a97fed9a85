// Which migrations were applied, in order.
MATCH (m:AESGMigration)
RETURN m.version, m.name, m.checksum, m.applied_at, m.package
ORDER BY m.version
