// Concepts are born. Each group has in common what is not in a list; the labels beside :Concept are by kind.
UNWIND $groups AS g
UNWIND range(0, size(g.id) - 1) AS i
CREATE (:Concept:$(g.labels) {memory: $memory, id: g.id[i], relevance: g.relevance, touched_epoch: g.touched_epoch,
    born_epoch: g.born_epoch, use_frequency: g.use_frequency, contradictions: g.contradictions,
    expires_epoch: g.expires_epoch, fades_at: g.fades_at, modified_at: g.modified_at, writer: $writer,
    sequence: g.sequence, created_at: g.created_at, version: g.version, region_id: g.region_id,
    kind: g.kind, encoder: g.encoder, name: g.name[i], text: g.text[i], source: g.source[i]})
