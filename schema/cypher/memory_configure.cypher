// Record another configuration and other thresholds.
MATCH (m:Memory {name: $memory})
SET m += $values
