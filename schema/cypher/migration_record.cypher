// A migration was applied; the first who says so is believed.
MERGE (m:AESGMigration {version: $version})
ON CREATE SET m.name = $name, m.checksum = $checksum, m.package = $package, m.applied_at = timestamp() / 1000.0
RETURN m.checksum
