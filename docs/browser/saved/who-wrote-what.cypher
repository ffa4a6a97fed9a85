// A memory, its writers and when it consolidated
MATCH (m:Memory {name: $memory})
OPTIONAL MATCH (w:Writer {memory: $memory})
WITH m, collect(w) AS writers
OPTIONAL MATCH (k:Consolidation {memory: $memory})
WITH m, writers, k ORDER BY k.epoch DESC LIMIT 20
RETURN m, writers, collect(k) AS consolidations
