// Columns that are missing or of another type become what they are at birth.
UNWIND $ids AS id
MATCH (c:Concept {memory: $memory, id: id})
SET c.kind = CASE WHEN c.kind IS :: STRING NOT NULL THEN c.kind ELSE 'concept' END,
    c.name = CASE WHEN c.name IS :: STRING THEN c.name END,
    c.text = CASE WHEN c.text IS :: STRING THEN c.text END,
    c.source = CASE WHEN c.source IS :: STRING THEN c.source END,
    c.region_id = CASE WHEN c.region_id IS :: INTEGER THEN c.region_id END,
    c.encoder = CASE WHEN c.encoder IS :: STRING NOT NULL THEN c.encoder ELSE '' END,
    c.version = CASE WHEN c.version IS :: INTEGER NOT NULL THEN c.version ELSE 0 END,
    c.created_at = CASE WHEN c.created_at IS :: FLOAT NOT NULL OR c.created_at IS :: INTEGER NOT NULL
                        THEN c.created_at ELSE $at END,
    c.born_epoch = CASE WHEN c.born_epoch IS :: INTEGER NOT NULL THEN c.born_epoch ELSE $epoch END,
    c.touched_epoch = CASE WHEN c.touched_epoch IS :: INTEGER NOT NULL THEN c.touched_epoch ELSE $epoch END,
    c.use_frequency = CASE WHEN c.use_frequency IS :: INTEGER NOT NULL THEN c.use_frequency ELSE 0 END,
    c.contradictions = CASE WHEN c.contradictions IS :: INTEGER NOT NULL THEN c.contradictions ELSE 0 END,
    c.relevance = CASE WHEN c.relevance IS :: FLOAT NOT NULL OR c.relevance IS :: INTEGER NOT NULL
                       THEN CASE WHEN c.relevance > 0 THEN c.relevance ELSE 1.0 END ELSE 1.0 END,
    c.modified_at = $at, c.writer = $writer, c.sequence = $sequence
