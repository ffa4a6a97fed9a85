// A memory's head and thresholds.
MATCH (m:Memory {name: $memory})
RETURN m.name, m.incarnation, m.epoch, m.key_version, m.vector_dim, m.value_dim, m.config,
       m.relevance_boost, m.relevance_decay, m.survival_threshold_relevance, m.survival_threshold_frequency,
       m.survival_min_age
