// A migration is recorded once, whoever applies it.
CREATE CONSTRAINT aesg_migration_version IF NOT EXISTS FOR (m:AESGMigration) REQUIRE m.version IS UNIQUE
