// Record a memory's epoch and the version of its keys.
MATCH (m:Memory {name: $memory})
SET m.epoch = $epoch, m.key_version = $key_version
