// What a memory needs before anything is merged into it. Every statement may be carried out again.

CREATE CONSTRAINT aesg_concept_id IF NOT EXISTS FOR (c:Concept) REQUIRE (c.memory, c.id) IS UNIQUE;
CREATE CONSTRAINT aesg_memory_name IF NOT EXISTS FOR (m:Memory) REQUIRE m.name IS UNIQUE;
CREATE CONSTRAINT aesg_writer_id IF NOT EXISTS FOR (w:Writer) REQUIRE (w.memory, w.id) IS UNIQUE;
CREATE CONSTRAINT aesg_removed_id IF NOT EXISTS FOR (r:Removed) REQUIRE (r.memory, r.id) IS UNIQUE;
CREATE CONSTRAINT aesg_lease_memory IF NOT EXISTS FOR (l:Lease) REQUIRE l.memory IS UNIQUE;

// Pruning reads what is due, capacity the weakest first, freshness a range of each writer.
CREATE INDEX aesg_concept_expires IF NOT EXISTS FOR (c:Concept) ON (c.memory, c.expires_epoch);
CREATE INDEX aesg_concept_fades IF NOT EXISTS FOR (c:Concept) ON (c.memory, c.fades_at);
CREATE INDEX aesg_concept_region IF NOT EXISTS FOR (c:Concept) ON (c.memory, c.region_id);
CREATE INDEX aesg_concept_writer IF NOT EXISTS FOR (c:Concept) ON (c.memory, c.writer, c.sequence);
CREATE INDEX aesg_removed_writer IF NOT EXISTS FOR (r:Removed) ON (r.memory, r.writer, r.sequence);
CREATE INDEX aesg_removed_into IF NOT EXISTS FOR (r:Removed) ON (r.memory, r.into);
CREATE INDEX aesg_removed_swept IF NOT EXISTS FOR (r:Removed) ON (r.memory, r.vector_removed);
CREATE INDEX aesg_consolidation_epoch IF NOT EXISTS FOR (c:Consolidation) ON (c.memory, c.epoch);

// For people who look for words.
CREATE FULLTEXT INDEX aesg_concept_words IF NOT EXISTS FOR (c:Concept) ON EACH [c.name, c.text];
